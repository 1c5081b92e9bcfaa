"""What stands at `--out`: no command replaces a device, a pipe, a link to a folder or a folder, nor works for it first.

The arguments that name what is read name nothing: a command that looked at them first would say so.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas.cli.app import app
from search_spaces.files.durable.places import PlaceError
from search_spaces.shapes.__main__ import write_pictures

COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "generate": lambda out: ["generate", "absent", "a ring", "--out", out],
    "measure": lambda out: ["latency", "measure", "absent", "--out", out],
    "import": lambda out: [
        "latency",
        "import",
        "absent",
        "absent.json",
        "--device-name",
        "d",
        "--runtime-version",
        "1",
        "--out",
        out,
    ],
    "calibrate": lambda out: ["latency", "calibrate", out, "--model", "absent"],
    "plot of calibrate": lambda out: ["latency", "calibrate", "absent", "--model", "absent", "--plot", out],
    "export": lambda out: ["export", "bk-sdm-small", "--model", "absent", "--out", out],
    "init": lambda out: ["latency", "init", "absent", "--out", out],
}
TAKES_FOLDERS = {"export", "init"}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A place of each kind, with a suffix that any command may want."""
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "thesis").write_text("thesis")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "folder.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "device.png").symlink_to("/dev/full")
    (tmp_path / "file").write_text("somebody's")
    return {
        "device": Path("/dev/full"),
        "device by a link": tmp_path / "device.png",
        "pipe": tmp_path / "pipe.png",
        "link": tmp_path / "link.png",
        "dangling link": tmp_path / "dangling.png",
        "below a file": tmp_path / "file" / "new.png",
        "folder": tmp_path / "folder.png",
    }


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_place_that_must_stay_is_refused_first(command: str, places: dict[str, Path], tmp_path: Path) -> None:
    before = state(tmp_path)
    for kind, place in places.items():
        if (command in TAKES_FOLDERS and kind in ("folder", "link")) or (command, kind) == ("init", "dangling link"):
            continue  # a folder that a link leads to is as good as another
        if command == "plot of calibrate" and kind == "device":
            continue  # no figure's file is called so
        done = CliRunner().invoke(app, COMMANDS[command](str(place)))
        assert done.exit_code == 2, (kind, done.output)
        assert place.name in done.stderr or "/dev/full" in done.stderr, (kind, done.stderr)
        assert any(
            law in done.stderr
            for law in (
                "but is a device",
                "is a link to",
                "but a folder stands there",
                "must lie in a folder",
                "there is no folder",
            )
        ), (kind, done.stderr)
        assert state(tmp_path) == before, kind
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_pictures_of_shapes_replace_their_own_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for num in (3, 2):
        write_pictures(folder, num=num, seed=0)
        assert len(list(folder.iterdir())) == num + 1
    (folder / "mine.png").write_bytes(b"somebody's")
    with pytest.raises(PlaceError, match=r"must hold nothing but this command's pictures, but holds mine\.png"):
        write_pictures(folder, num=2, seed=0)
    assert (folder / "mine.png").read_bytes() == b"somebody's"
    (folder / "mine.png").unlink()
    (folder / "metadata.jsonl").unlink()
    with pytest.raises(PlaceError, match=r"holds pictures without metadata\.jsonl"):
        write_pictures(folder, num=2, seed=0)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_empty_path_is_not_taken_for_the_working_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, COMMANDS[name](""))
    assert told.exit_code == 2
    assert "a path must not be empty" in told.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["", "."])
def test_the_demo_settles_its_place_before_it_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    told = CliRunner().invoke(app, ["demo", "--num-pictures", "1", "--out", out])
    assert told.exit_code == 2
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


@pytest.mark.parametrize("name", ["generate", "measure", "import", "plot of calibrate"])
def test_another_file_is_not_replaced_and_no_work_is_done_for_it(name: str, tmp_path: Path) -> None:
    out = tmp_path / "thesis.png"
    out.write_text("thesis")
    told = CliRunner().invoke(app, COMMANDS[name](str(out)))
    assert told.exit_code == 2
    assert "but a file that is none stands there" in " ".join(told.output.split())
    assert out.read_text() == "thesis"
