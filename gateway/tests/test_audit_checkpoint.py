"""`raffinate audit checkpoint`: the head as text, as QR code, and by files to a witness."""

from types import SimpleNamespace

import pytest

from raffinate.anchors import qr
from raffinate.cli import main
from raffinate.config.template import write_template
from raffinate.evidence.begin import begin
from raffinate.keys import load_public
from raffinate.tlog.note import parse_note
from raffinate.witness import folder as places

ORIGIN = "demo.invalid/raffinate/ndpr"
NOW_MS = 1_795_255_200_000


@pytest.fixture
def plant(tmp_path):
    """A plant with a log, and a witness that gets checkpoints by stick."""
    write_template(tmp_path)
    begin(tmp_path / "keys", tmp_path / "data", ORIGIN, NOW_MS)
    vkey = places.init(tmp_path / "witness", "stick.invalid").vkey()
    places.trust(tmp_path / "witness", ORIGIN, load_public(tmp_path / "keys")["log"])
    file = tmp_path / "plant.toml"
    file.write_text(file.read_text() + f'\n[[witnesses]]\nkey = "{vkey}"\nurl = "files"\n')
    return file


@pytest.fixture
def raffinate(capfd, plant):
    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, words)])
        out, err = capfd.readouterr()
        return SimpleNamespace(status=ended.value.code, out=out, err=err)

    def checkpoint(*words):
        return run("audit", "checkpoint", "--plant", plant, *words)

    return SimpleNamespace(run=run, checkpoint=checkpoint)


def test_head_is_printed_as_it_is_published(raffinate, plant):
    published = (plant.parent / "data" / "log" / "checkpoint").read_bytes()
    assert raffinate.checkpoint().out.encode() == published
    shown = raffinate.checkpoint("--qr").out
    assert shown.count("\n") > 25
    assert shown.endswith(published.decode())


def test_svg_is_a_whole_file(raffinate, tmp_path):
    target = tmp_path / "head.svg"
    assert raffinate.checkpoint("--svg", target).status == 0
    assert target.read_bytes().startswith(b"<?xml")


def test_a_request_goes_to_the_witness_on_a_stick(raffinate, tmp_path):
    request = tmp_path / "head.request"
    assert "size 0 to 2, for stick.invalid" in raffinate.checkpoint("--request", request).out
    assert raffinate.run("witness", "cosign", tmp_path / "witness", request).status == 0
    answer = tmp_path / "head.request.cosigned"
    assert len(parse_note(answer.read_bytes()).signatures) == 3

    again = raffinate.checkpoint("--request", request, "--old", 2)
    assert "size 2 to 2" in again.out
    assert raffinate.run("witness", "cosign", tmp_path / "witness", request).status == 0

    done = raffinate.checkpoint("--answer", answer)
    assert (done.status, "no gateway runs" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--request", "x", "--witness", "other"), "plant.toml names stick.invalid"),
        (("--request", "x", "--old", "9"), "rolled back"),
        (("--answer", "none.cosigned"), "none.cosigned"),
    ],
)
def test_errors_name_the_remedy(raffinate, words, said):
    done = raffinate.checkpoint(*words)
    assert done.status != 0
    assert said in done.err


def test_what_fits_no_code_is_refused():
    assert qr.as_svg(b"x" * qr.BYTES_MAX)
    with pytest.raises(ValueError, match="fits no QR code"):
        qr.as_svg(b"x" * (qr.BYTES_MAX + 1))
