"""A timestamp authority of openssl's own `ts`, behind a tiny HTTP server."""

from __future__ import annotations

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_CONFIG = """
[req]
distinguished_name = name
[name]
[tsa_cert]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ca_cert]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def make_authority(folder):
    """Keys and certificates of a root and of its timestamp authority; the root's file."""
    folder.mkdir()
    (folder / "openssl.cnf").write_text(_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    common = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config")
    _openssl(
        folder, "req", "-x509", *common, "openssl.cnf", "-extensions", "ca_cert", "-days", "2",
        "-subj", "/CN=Test root", "-keyout", "ca.key", "-out", "ca.pem",
    )  # fmt: skip
    _openssl(
        folder, "req", *common, "openssl.cnf", "-subj", "/CN=Test timestamps",
        "-keyout", "tsa.key", "-out", "tsa.csr",
    )  # fmt: skip
    _openssl(
        folder, "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-days", "2", "-extfile", "openssl.cnf", "-extensions", "tsa_cert",
        "-out", "tsa.pem",
    )  # fmt: skip
    return folder / "ca.pem"


class TimestampServer:
    """Answers timestamp queries on a free port of 127.0.0.1; `spoil` may change an answer."""

    def __init__(self, folder):
        self.folder = folder
        self.spoil = lambda data: data
        self.asked = 0
        handler = type("Handler", (_Handler,), {"of": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/tsr"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, query):
        self.asked += 1
        (self.folder / "query").write_bytes(query)
        _openssl(
            self.folder, "ts", "-reply", "-config", "openssl.cnf", "-section", "tsa_config",
            "-queryfile", "query", "-out", "reply",
        )  # fmt: skip
        return self.spoil((self.folder / "reply").read_bytes())


class _Handler(BaseHTTPRequestHandler):
    of: TimestampServer

    def do_POST(self):
        data = self.of.answer(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def _openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
