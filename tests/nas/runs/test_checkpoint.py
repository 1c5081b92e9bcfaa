"""Checkpoints: the same bits again, whole or not at all, damage never unnoticed."""

import os
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nas.runs.checkpoint import CheckpointWarning, read_checkpoint, weights_digest, write_checkpoint
from search_spaces import Architecture, Position, Stage

ARCHITECTURE = Architecture(
    stages=(Stage(place="mid", positions=(Position(resnets=1, cross_attentions=0, source=0),)),)
)
WEIGHTS = {"a": torch.arange(6.0).reshape(3, 2), "b": torch.arange(4), "c": torch.ones(2, 3).T, "d": torch.tensor(0.5)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint."""
    write_checkpoint(tmp_path / "round-007", architecture=ARCHITECTURE, weights=WEIGHTS)
    return tmp_path / "round-007"


def test_a_checkpoint_comes_back(folder: Path) -> None:
    back = read_checkpoint(folder)
    assert back is not None
    assert back.keys() == WEIGHTS.keys()
    assert all(torch.equal(back[name], WEIGHTS[name]) for name in WEIGHTS)
    assert Architecture.from_json((folder / "architecture.json").read_text()) == ARCHITECTURE


def test_there_is_none_before_it_is_written(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "round-007") is None


def test_weights_that_share_memory_are_kept_apart(tmp_path: Path) -> None:
    shared = torch.randn(4)
    write_checkpoint(tmp_path / "one", architecture=ARCHITECTURE, weights={"a": shared, "b": shared})
    back = read_checkpoint(tmp_path / "one")
    assert back is not None
    assert torch.equal(back["a"], back["b"])


def test_a_checkpoint_stands_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "round-000"
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_checkpoint(folder, architecture=ARCHITECTURE, weights=WEIGHTS)
    assert read_checkpoint(folder) is None
    write_checkpoint(folder, architecture=ARCHITECTURE, weights=WEIGHTS)
    assert read_checkpoint(folder) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["round-000"]


@pytest.mark.parametrize("damage", ["truncated", "emptied", "gone", "other weights", "no digest"])
def test_a_damaged_checkpoint_is_set_aside_loudly_and_can_be_written_again(folder: Path, damage: str) -> None:
    path = folder / "weights.safetensors"
    weights = load_file(path)
    match damage:
        case "truncated":
            path.write_bytes(path.read_bytes()[:-1])
        case "emptied":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
        case "other weights":
            save_file({**weights, "a": weights["a"] + 1}, path, metadata={"weights_digest": weights_digest(weights)})
        case "no digest":
            save_file(weights, path)
    with pytest.warns(
        CheckpointWarning, match=r"round-007 is damaged \(.*\): moved to round-007\.damaged, to be train"
    ):
        assert read_checkpoint(folder) is None
    assert (folder.parent / "round-007.damaged" / "architecture.json").is_file()
    assert read_checkpoint(folder) is None
    write_checkpoint(folder, architecture=ARCHITECTURE, weights=WEIGHTS)
    assert read_checkpoint(folder) is not None


@pytest.mark.parametrize("shape", [(1, 6), (2, 3), (6,)])
def test_other_shapes_of_the_same_bits_are_damage(folder: Path, shape: tuple[int, ...]) -> None:
    path = folder / "weights.safetensors"
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    save_file(load_file(path) | {"a": WEIGHTS["a"].reshape(shape)}, path, metadata=header)
    with pytest.warns(CheckpointWarning, match=r"\(not the shapes or the origin that were written\)"):
        assert read_checkpoint(folder) is None


@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_changed_byte_never_changes_a_weight_silently(
    tmp_path_factory: pytest.TempPathFactory, place: float, bits: int
) -> None:
    folder = tmp_path_factory.mktemp("checkpoints") / "round-007"
    write_checkpoint(folder, architecture=ARCHITECTURE, weights=WEIGHTS)
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= bits
    path.write_bytes(content)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        back = read_checkpoint(folder)
    assert (back is None) == bool(told)
    assert back is None or all(torch.equal(back[name], WEIGHTS[name]) for name in WEIGHTS)


def test_a_digest_depends_on_names_types_and_bits_not_on_order_or_layout() -> None:
    digest = weights_digest(WEIGHTS)
    assert weights_digest(dict(reversed(WEIGHTS.items()))) == digest
    assert weights_digest({**WEIGHTS, "c": WEIGHTS["c"].contiguous()}) == digest
    assert weights_digest({**WEIGHTS, "b": WEIGHTS["b"].int()}) != digest
    assert weights_digest({**WEIGHTS, "a": -WEIGHTS["a"]}) != digest
    assert weights_digest({("z" if name == "a" else name): tensor for name, tensor in WEIGHTS.items()}) != digest
