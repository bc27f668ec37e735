"""The command: what it says, how it exits, and that nobody ever sees a traceback."""

from __future__ import annotations

import json

import click
import pytest

from raffinate.cli import main as package_main
from raffinate.cli.main import EXIT_DEFECT, LazyGroup, main
from raffinate.errors import ConfigError, RaffinateError


def run(capsys, *words, command=main):
    with pytest.raises(SystemExit) as caught:
        command(list(words))
    output = capsys.readouterr()
    assert "Traceback" not in output.out + output.err
    return caught.value.code, output.out, output.err


def test_every_command_is_there_and_explains_itself(capsys):
    assert package_main is main
    code, out, _ = run(capsys, "--help")
    assert code == 0
    context = click.Context(main)
    names = main.list_commands(context)
    assert set(names) == {
        "demo", "init", "gateway", "check", "export", "keys", "audit", "activity", "node",
        "licence", "regime", "registry", "witness",
    }  # fmt: skip
    for name in names:
        assert name in out
        code, text, _ = run(capsys, name, "--help")
        assert code == 0
        assert "Usage: " in text


def test_init_then_check(capsys, tmp_path):
    plant = tmp_path / "plant"
    code, out, err = run(capsys, "init", str(plant), "--port", "9000", "--broker-port", "9001")
    assert code == 0
    assert str(plant / "plant.toml") in out
    assert "raffinate check" in err
    code, out, _ = run(capsys, "check", "--plant", str(plant / "plant.toml"))
    assert code == 0
    assert "17 stages, 99 points, 4 nodes, 3 equipment" in out
    assert "note: no licence" in out
    text = (plant / "plant.toml").read_text()
    assert "port = 9000" in text
    assert "port = 9001" in text


def test_init_overwrites_nothing(capsys, tmp_path):
    run(capsys, "init", str(tmp_path))
    (tmp_path / "plant.toml").write_text("mine")
    code, _, err = run(capsys, "init", str(tmp_path))
    assert code == 1
    assert "nothing written" in err
    assert (tmp_path / "plant.toml").read_text() == "mine"


def test_init_into_a_file_is_named(capsys, tmp_path):
    (tmp_path / "file").write_text("x")
    code, _, err = run(capsys, "init", str(tmp_path / "file"))
    assert code == 1
    assert "cannot be written" in err


def test_check_names_the_mistake_and_exits_2(capsys, tmp_path):
    run(capsys, "init", str(tmp_path))
    file = tmp_path / "plant.toml"
    file.write_text(file.read_text().replace("port = 8080", "prot = 8080"))
    code, _, err = run(capsys, "check", "--plant", str(tmp_path))
    assert code == 2
    assert "listen.prot is no key here; did you mean port?" in err


def test_check_as_json(capsys, tmp_path):
    run(capsys, "init", str(tmp_path))
    code, out, _ = run(capsys, "check", "--plant", str(tmp_path), "--json")
    assert code == 0
    assert json.loads(out)["equipment"] == 3


def test_node_config_needs_keys_then_writes_what_a_board_is_given(capsys, tmp_path):
    run(capsys, "init", str(tmp_path))
    plant = str(tmp_path / "plant.toml")
    code, _, err = run(capsys, "node", "config", "n01", "--plant", plant)
    assert code == 2
    assert "raffinate keys init" in err
    origin = "demo.invalid/raffinate/ndpr"
    assert run(capsys, "keys", "init", "--origin", origin, "--plant", plant)[0] == 0
    code, out, _ = run(capsys, "node", "config", "n01", "--plant", plant)
    file = tmp_path / "n01.json"
    assert (code, out.strip()) == (0, str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    content = json.loads(file.read_bytes())
    assert (content["node"], content["log"]) == ("n01", origin)
    code, _, err = run(capsys, "node", "config", "n01", "--plant", plant)
    assert code == 1
    assert "--force" in err
    assert run(capsys, "node", "config", "n01", "--plant", plant, "--force")[0] == 0
    code, _, err = run(capsys, "node", "config", "n77", "--plant", plant)
    assert code == 2
    assert "its nodes are n01, n02, n03, n04" in err


def test_usage_errors_exit_2(capsys):
    code, _, err = run(capsys, "nonsense")
    assert code == 2
    assert "nonsense" in err
    assert run(capsys, "init")[0] == 2


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (RaffinateError("mend it"), 1, "raffinate: mend it"),
        (ConfigError("mend that"), 2, "raffinate: mend that"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (ZeroDivisionError("oh"), EXIT_DEFECT, "a defect of raffinate itself: ZeroDivisionError"),
    ],
)
def test_every_error_becomes_a_message_and_an_exit_status(
    capsys, tmp_path, monkeypatch, error, code, text
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    @click.command()
    def bad():
        raise error

    monkeypatch.setitem(main.commands, "bad", bad)
    found, _, err = run(capsys, "bad")
    assert found == code
    assert text in err
    reports = list(tmp_path.glob("raffinate-defect-*"))
    assert len(reports) == (code == EXIT_DEFECT)
    assert not reports or "ZeroDivisionError: oh" in reports[0].read_text()


def test_a_command_is_imported_only_when_it_is_used():
    group = LazyGroup({"gone": "raffinate.no_such_module:x"}, name="g")
    assert group.list_commands(click.Context(group)) == ["gone"]
    with pytest.raises(ModuleNotFoundError):
        group.get_command(click.Context(group), "gone")


def test_help_tells_each_commands_whole_sentence(capsys):
    code, out, _ = run(capsys, "keys", "--help")
    assert code == 0
    assert "whether it counts, and where it stands." in " ".join(out.split())
