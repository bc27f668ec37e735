"""Cosignatures and timestamps in the log: asked for, checked, logged, and never endlessly."""

import subprocess
import threading
import time
from base64 import b64encode
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509 import load_pem_x509_certificates

from evidence_site import enrolled_site
from raffinate.anchors import open_askers, open_published
from raffinate.anchors.askers import BACKOFF_S_MAX, Asker
from raffinate.anchors.fetch import Poster
from raffinate.anchors.sources import ContradictionError, RetryError, TimestampSource, WitnessSource
from raffinate.audit.bundle import export
from raffinate.audit.source import open_source
from raffinate.audit.timestamp import TimestampError, read_timestamp
from raffinate.audit.verify import verify
from raffinate.config import Anchors, Timestamps, Witness
from raffinate.errors import StorageFullError
from raffinate.evidence import dsse
from raffinate.evidence.statement import parse_statement
from raffinate.evidence.store import Store
from raffinate.keys import load_public
from raffinate.tlog.cosignature import CosignatureSigner, format_signatures
from raffinate.tlog.note import parse_note
from raffinate.witness import folder as places
from raffinate.witness.decide import add_checkpoint
from raffinate.witness.protocol import SIZE_TYPE
from tsa_server import TimestampServer, make_authority

NAME = "witness.invalid/w1"


class HttpWitness:
    """A witness's decisions behind a small HTTP server; `spoil` may answer in its place."""

    def __init__(self, site, root):
        self.site, self.asked = site, []
        self.vkey = places.init(root, NAME).vkey()
        public = load_public(site.keys)
        places.trust(root, public["origin"], public["log"])
        self.folder = places.Folder(root)
        self.spoil = None
        handler = type("Handler", (_Handler,), {"of": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, data):
        self.asked.append(data)
        if self.spoil is not None:
            return self.spoil(data)
        found = add_checkpoint(self.folder, data, self.site.now_ms // 1000)
        return found.status, found.content_type, found.body

    def source(self, whole_s=5.0):
        return WitnessSource(Witness(NAME, self.vkey, self.url), 60, Poster(whole_s))


class _Handler(BaseHTTPRequestHandler):
    of: HttpWitness

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        status, kind, body = self.of.answer(data)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):  # the client gave up
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    made, nodes = enrolled_site(tmp_path / "site")
    made.nodes = nodes
    yield made
    made.close()


@pytest.fixture
def witness(site, tmp_path):
    made = HttpWitness(site, tmp_path / "witness")
    yield made
    made.close()


def say(site):
    """One more entry that is no anchor."""
    node = site.nodes[0]
    site.submit(node, node.usage() if node.seq else node.boot())


def published(site):
    return open_published(site.keys, site.data)


class ByHand:
    """The askers of a plant, stepped by the test instead of by threads."""

    def __init__(self, site, *sources, log_s=1, sticks=()):
        anchors = Anchors(60, log_s, tuple(sticks), None)
        self.askers = open_askers(anchors, published(site), lambda: site.now_ms, read_timestamp)
        self.askers._sources = list(sources)
        for source in sources:
            if isinstance(source, WitnessSource):
                self.askers._keys[source.name] = source.key
        self.site = site
        self.askers.begin = self.begin
        site.service.ask_outside(self.askers)

    def begin(self, known):
        site, give = self.site, self.askers._give
        self.askers._askers = [
            Asker(source, published(site), known.get(source.name, 0), give, lambda: site.now_ms)
            for source in self.askers._sources
        ]

    def step(self):
        return [asker.step() for asker in self.askers._askers]

    def round(self, ms=2000):
        self.step()
        self.site.tick(ms)


def statements(site, kind):
    log = site.service._log
    found = []
    for index in range(log.size):
        envelope = dsse.decode_envelope(log.entry(index))
        if envelope.payload_type == dsse.STATEMENT:
            statement = parse_statement(envelope.payload)
            if statement.type == kind:
                found.append((index, statement.body))
    return found


def documents(site):
    return {row[0]: row[3] for row in site.service._store.documents() if row[1] == "anchor"}


def state(site):
    (found,) = site.service.snapshot()["anchors"]
    return found


def test_a_cosigned_head_becomes_an_anchor_with_its_blob(site, witness):
    by_hand = ByHand(site, witness.source())
    say(site)
    size = site.service.log_size()
    by_hand.round()
    ((index, body),) = statements(site, "time-anchor")
    assert index == size
    assert (body["kind"], body["source"], body["size"]) == ("cosignature", NAME, size)
    blob = documents(site)[body["token"]]
    assert witness.folder.verifier.time_s(parse_note(blob)) * 1000 == body["anchorMs"]
    assert blob == witness.folder.head(published(site).origin).note


def test_an_anchors_own_entry_causes_no_further_anchor(site, witness):
    by_hand = ByHand(site, witness.source())
    by_hand.round()
    for _ in range(5):
        by_hand.round(120_000)
    assert (len(witness.asked), len(statements(site, "time-anchor"))) == (1, 1)
    assert (state(site)["unwitnessed"], state(site)["unwitnessed_ms"]) == (0, 0)

    site.reopen()
    again = ByHand(site, witness.source())
    again.round()
    assert len(witness.asked) == 1

    say(site)
    again.round()
    assert (len(witness.asked), len(statements(site, "time-anchor"))) == (2, 2)
    assert witness.asked[1].startswith(b"old 3\n")


def test_cosignatures_are_kept_at_once_and_logged_at_their_interval(site, witness):
    by_hand = ByHand(site, witness.source(), log_s=600)
    by_hand.round()
    for _ in range(4):
        say(site)
        by_hand.round(60_000)
    assert len(statements(site, "time-anchor")) == 1
    assert state(site)["size"] > state(site)["logged_size"]
    site.tick(600_000)
    assert len(statements(site, "time-anchor")) == 2


def test_what_is_not_witnessed_is_counted_and_timed(site, witness):
    by_hand = ByHand(site, witness.source())
    by_hand.round()
    say(site)
    site.tick(5000)
    found = state(site)
    assert (found["state"], found["unwitnessed"], found["unwitnessed_ms"]) == ("ok", 2, 5000)
    by_hand.round()
    assert (state(site)["unwitnessed"], state(site)["unwitnessed_ms"]) == (0, 0)


def test_a_witness_that_is_down_is_asked_again_ever_more_rarely(site, witness):
    witness.close()
    by_hand = ByHand(site, witness.source())
    pauses = [by_hand.step()[0] for _ in range(8)]
    assert pauses == [60, 120, 240, 480, 900, 900, 900, BACKOFF_S_MAX]
    site.tick()
    assert state(site)["state"] == "failing"
    assert "raffinate witness serve" in state(site)["problem"]
    assert statements(site, "time-anchor") == []
    assert any(NAME in text for text in site.service.snapshot()["problems"])


def test_a_slow_witness_has_its_time_limit(site, witness):
    def slowly(_):
        time.sleep(0.4)
        return 200, "text/plain", b""

    witness.spoil = slowly
    with pytest.raises(RetryError, match="in time"):
        witness.source(whole_s=0.1).ask(published(site), 0, site.now_ms)


@pytest.mark.parametrize(
    "answer",
    [
        (200, "text/plain", b""),
        (200, "text/plain", b"junk"),
        (200, "text/plain", "— other AAAAAAA=\n".encode()),
        (200, "text/plain", b"x" * 20_000),
        (409, SIZE_TYPE, b"-1\n"),
        (409, SIZE_TYPE, b"0\n"),
        (404, "text/plain", b"who?\n"),
        (403, "text/plain", b"no\n"),
        (500, "text/html", b"<html>"),
        (302, "text/plain", b""),
    ],
)
def test_junk_is_no_cosignature_and_is_asked_again(site, witness, answer):
    witness.spoil = lambda _: answer
    with pytest.raises(RetryError):
        witness.source().ask(published(site), 0, site.now_ms)


def test_a_cosignature_by_another_key_or_over_another_head_is_not_taken(site, witness):
    other = CosignatureSigner(NAME, Ed25519PrivateKey.generate())

    def forged(data):
        text = data.partition(b"\n\n")[2].rpartition(b"\n\n")[0] + b"\n"
        line = other.cosign(text, 1)
        return 200, "text/plain", format_signatures([line])

    witness.spoil = forged
    with pytest.raises(RetryError, match="no cosignature"):
        witness.source().ask(published(site), 0, site.now_ms)


def test_409_with_a_size_leads_to_a_proof_from_there(site, witness):
    say(site)
    witness.source().ask(published(site), 0, site.now_ms)
    say(site)
    assert witness.source().ask(published(site), 0, site.now_ms).size == site.service.log_size()
    assert [data.split(b"\n", 1)[0] for data in witness.asked] == [b"old 0", b"old 0", b"old 4"]


def test_witnesses_of_one_round_are_asked_about_the_same_head(site, witness):
    log = published(site)
    first = witness.source().ask(log, 0, site.now_ms)
    say(site)
    assert witness.source().ask(log, 0, site.now_ms).size == first.size
    assert witness.source().ask(log, first.size, site.now_ms).size == site.service.log_size()


def test_a_bundle_ends_at_the_newest_cosigned_head_if_that_is_not_old(site, witness, tmp_path):
    by_hand = ByHand(site, witness.source())
    say(site)
    by_hand.round()
    say(site)
    size = export(site.keys, site.data, [], tmp_path / "new", now_ms=site.now_ms).size
    assert size == state(site)["size"] == 4
    note = parse_note((tmp_path / "new" / "log" / "checkpoint").read_bytes())
    assert len(note.signatures) == 3
    assert witness.folder.verifier.time_s(note) > 0
    result = verify(open_source(tmp_path / "new"), None)
    assert {finding.code for finding in result.findings} & {"TILE", "ROOT", "FILE-MISSING"} == set()

    site.now_ms += 3_600_000
    say(site)
    size = export(site.keys, site.data, [], tmp_path / "late", now_ms=site.now_ms).size
    assert size == site.service.log_size() == 7


def test_a_witness_that_forgot_is_told_and_catches_up(site, witness):
    by_hand = ByHand(site, witness.source())
    by_hand.round()
    (head,) = (witness.folder.root / "heads").iterdir()
    head.unlink()
    say(site)
    by_hand.round()
    assert "it forgot" in state(site)["problem"]
    assert state(site)["size"] == 5


@pytest.mark.parametrize("answer", [(422, "text/plain", b"no\n"), (409, "text/plain", b"3\n")])
def test_another_history_is_a_finding_and_never_asked_again(site, witness, answer):
    by_hand = ByHand(site, witness.source())
    witness.spoil = lambda _: answer
    assert by_hand.step() == [None]
    site.tick()
    found = state(site)
    assert found["state"] == "refused"
    assert found["problem"].startswith("FORK-OR-BAD-PROOF: ")
    assert any("FORK-OR-BAD-PROOF" in text for text in site.service.snapshot()["problems"])
    assert [item.code for item in site.service.findings()] == ["FORK-OR-BAD-PROOF"]
    site.tick(5000)
    assert len(site.service.findings()) == 1


def test_a_witness_ahead_of_the_log_is_a_finding(site, witness):
    witness.spoil = lambda _: (409, SIZE_TYPE, b"1000\n")
    with pytest.raises(ContradictionError) as caught:
        witness.source().ask(published(site), 0, site.now_ms)
    assert caught.value.code == "WITNESS-AHEAD"


def test_a_real_fork_is_refused_by_the_witness_and_stops_the_asking(site, witness, tmp_path):
    other, _ = enrolled_site(tmp_path / "other")
    try:
        public = load_public(other.keys)
        witness.source().ask(published(site), 0, site.now_ms)
        (trusted,) = (witness.folder.root / "logs").iterdir()
        trusted.unlink()
        places.trust(witness.folder.root, public["origin"], public["log"])
        with pytest.raises(ContradictionError):
            witness.source().ask(published(other), 3, site.now_ms)
    finally:
        other.close()


def test_an_asker_runs_on_a_thread_of_its_own(site, witness):
    witnesses = (Witness(NAME, witness.vkey, witness.url),)
    askers = open_askers(
        Anchors(1, 1, witnesses, None), published(site), lambda: site.now_ms, read_timestamp
    )
    site.service.ask_outside(askers)
    deadline = time.monotonic() + 30
    while not statements(site, "time-anchor") and time.monotonic() < deadline:
        site.tick(1000)
        time.sleep(0.05)
    askers.stop()
    assert statements(site, "time-anchor")


def test_a_file_on_a_stick_is_taken_and_answered(site, witness):
    sticks = [Witness(NAME, witness.vkey, None)]
    ByHand(site, sticks=sticks)
    head = published(site).head()
    request = published(site).request(0, head)
    status, _, lines = witness.answer(request)
    assert status == 200
    inbox = site.data / "inbox"
    (inbox / "a.cosigned").write_bytes(head.note + lines)
    (inbox / "b.cosigned").write_bytes(head.note)
    (inbox / "c.cosigned").write_bytes(b"junk")
    (inbox / "d.cosigned").mkdir()
    site.tick()
    answers = {
        name: orjson.loads((site.data / "outbox" / f"{name}.json").read_bytes()) for name in "abc"
    }
    assert answers["a"] == {"ok": True, "size": 3, "witnesses": {NAME: site.now_ms // 1000}}
    assert "no witness that plant.toml names" in answers["b"]["error"]
    assert not answers["c"]["ok"]
    assert [path.name for path in inbox.glob("*.cosigned")] == ["d.cosigned"]
    assert len(statements(site, "time-anchor")) == 1
    assert state(site)["state"] == "files"


def test_a_cosigned_head_of_another_log_is_refused(site, witness, tmp_path):
    other, _ = enrolled_site(tmp_path / "other")
    try:
        head = published(other).head()
        line = witness.folder.signer.cosign(head.note.rpartition(b"\n\n")[0] + b"\n", 5)
        ByHand(site, sticks=[Witness(NAME, witness.vkey, None)])
        (site.data / "inbox" / "x.cosigned").write_bytes(head.note + format_signatures([line]))
        site.tick()
        answer = orjson.loads((site.data / "outbox" / "x.json").read_bytes())
        assert not answer["ok"]
    finally:
        other.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tsa") / "tsa"
    return folder, make_authority(folder)


def test_a_timestamp_is_verified_logged_and_verifies_with_openssl_alone(site, authority, tmp_path):
    folder, ca = authority
    with TimestampServer(folder) as server:
        by_hand = ByHand(site, TimestampSource(Timestamps(server.url, ca, 3600), read_timestamp))
        by_hand.round()
        by_hand.round(7_200_000)
        assert server.asked == 1
    ((_, body),) = statements(site, "time-anchor")
    assert (body["kind"], body["source"]) == ("rfc3161", server.url)
    token, text = tmp_path / "token.tsr", tmp_path / "checkpoint.txt"
    token.write_bytes(documents(site)[body["token"]])
    head = published(site)
    origin, size, root = head.origin, body["size"], bytes.fromhex(body["root"])
    text.write_text(f"{origin}\n{size}\n{b64encode(root).decode()}\n")
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-data", text, "-in", token, "-CAfile", ca],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Verification: OK" in done.stdout, done.stderr


def test_the_verifier_reads_the_time_that_was_logged(site, authority):
    folder, ca = authority
    with TimestampServer(folder) as server:
        word = TimestampSource(Timestamps(server.url, ca, 60), read_timestamp).ask(
            published(site), 0, site.now_ms
        )
    trusted = load_pem_x509_certificates(ca.read_bytes())
    assert read_timestamp(word.token, word.checkpoint, trusted) == word.anchor_ms


def test_a_token_that_the_verifier_would_not_take_is_not_logged(site, authority):
    folder, ca = authority

    def refuse(*_):
        raise TimestampError("not so")

    with TimestampServer(folder) as server, pytest.raises(RetryError, match="would not take"):
        TimestampSource(Timestamps(server.url, ca, 60), refuse).ask(published(site), 0, site.now_ms)


@pytest.mark.parametrize("after", [False, True], ids=["not-persisted", "but-persisted"])
def test_a_commit_that_fails_loses_no_word_and_logs_none_twice(site, witness, after, monkeypatch):
    by_hand = ByHand(site, witness.source())
    by_hand.step()
    real = Store.transaction

    @contextmanager
    def failing(store):
        if after:
            with real(store):
                yield
        raise StorageFullError("full")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "transaction", failing)
        with pytest.raises((StorageFullError, RuntimeError)):
            site.tick()
    for _ in range(3):
        by_hand.round(10_000)
    assert len(statements(site, "time-anchor")) == 1
    assert len(witness.asked) == 1
    assert state(site)["logged_size"] == state(site)["size"] == 3


@pytest.mark.parametrize("spoil", [lambda _: b"", lambda data: data[:-1], lambda data: data + b"0"])
def test_a_spoiled_timestamp_is_asked_for_again(site, authority, spoil):
    folder, ca = authority
    with TimestampServer(folder) as server:
        server.spoil = spoil
        with pytest.raises(RetryError):
            TimestampSource(Timestamps(server.url, ca, 60), read_timestamp).ask(
                published(site), 0, site.now_ms
            )


def test_a_replayed_timestamp_and_one_of_a_stranger_are_refused(site, authority, tmp_path):
    folder, ca = authority
    with TimestampServer(folder) as server:
        source = TimestampSource(Timestamps(server.url, ca, 60), read_timestamp)
        first = source.ask(published(site), 0, site.now_ms).token
        server.spoil = lambda _: first
        with pytest.raises(RetryError, match="another request"):
            source.ask(published(site), 0, site.now_ms)
        server.spoil = lambda data: data
        stranger = make_authority(tmp_path / "stranger")
        with pytest.raises(RetryError, match="no timestamp that verifies"):
            TimestampSource(Timestamps(server.url, stranger, 60), read_timestamp).ask(
                published(site), 0, site.now_ms
            )
