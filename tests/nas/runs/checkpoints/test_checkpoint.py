"""Checkpoints: a round's architecture and the digest of its weights, whole or not at all, damage never unnoticed."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from nas.runs.checkpoints.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from nas.runs.checkpoints.weights import CheckpointWarning
from search_spaces import Action, Architecture, Position, Stage

ARCHITECTURE = Architecture(
    stages=(Stage(place="mid", positions=(Position(resnets=1, cross_attentions=0, source=0),)),)
)
CHECKPOINT = Checkpoint(architecture=ARCHITECTURE, digest="0123456789abcdef", origin={"round": "7", "parent": ""})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint that was written."""
    write_checkpoint(tmp_path / "round-007", CHECKPOINT)
    return tmp_path / "round-007"


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_checkpoint_comes_back(tmp_path: Path, is_stored: bool) -> None:
    written = replace(CHECKPOINT, is_stored=is_stored)
    write_checkpoint(tmp_path / "one", written)
    assert read_checkpoint(tmp_path / "one", origin={"parent": ""}) == written
    assert sum(path.stat().st_size for path in (tmp_path / "one").iterdir()) < 2000, "weights stand elsewhere"


def test_there_is_none_before_it_is_written(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "round-007") is None


def test_a_checkpoint_replaces_another(folder: Path) -> None:
    again = replace(CHECKPOINT, digest="f" * 16)
    write_checkpoint(folder, again)
    assert read_checkpoint(folder) == again


def test_a_checkpoint_stands_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "round-000"
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_checkpoint(folder, CHECKPOINT)
    assert read_checkpoint(folder) is None
    write_checkpoint(folder, CHECKPOINT)
    assert [path.name for path in tmp_path.iterdir()] == ["round-000"]


@pytest.mark.parametrize("damage", ["truncated", "emptied", "gone", "edited", "another architecture"])
def test_a_damaged_checkpoint_is_set_aside_loudly_and_can_be_written_again(folder: Path, damage: str) -> None:
    path = folder / "weights.json"
    match damage:
        case "truncated":
            path.write_bytes(path.read_bytes()[:-9])
        case "emptied":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
        case "edited":
            path.write_text(path.read_text().replace("0123456789abcdef", "f" * 16))
        case "another architecture":
            other = Action.parse("+resnet[mid,0]").apply(ARCHITECTURE)
            (folder / "architecture.json").write_text(other.to_json())
    with pytest.warns(
        CheckpointWarning, match=r"round-007 is damaged \((.|\n)*\): moved to round-007\.damaged, to be train"
    ):
        assert read_checkpoint(folder) is None
    assert (folder.parent / "round-007.damaged" / "architecture.json").is_file()
    assert read_checkpoint(folder) is None
    write_checkpoint(folder, CHECKPOINT)
    assert read_checkpoint(folder) == CHECKPOINT
