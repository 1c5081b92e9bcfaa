"""Weights on disk: the same bits again, whole or not at all, damage never unnoticed."""

import os
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nas.runs.checkpoints.weights import CheckpointWarning, read_weights, weights_digest, write_weights

WEIGHTS = {"a": torch.arange(6.0).reshape(3, 2), "b": torch.arange(4), "c": torch.ones(2, 3).T, "d": torch.tensor(0.5)}
DIGEST = weights_digest(WEIGHTS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Weights that were written."""
    write_weights(tmp_path / "w.safetensors", WEIGHTS, digest=DIGEST)
    return tmp_path / "w.safetensors"


def test_weights_come_back(path: Path) -> None:
    back = read_weights(path, digest=DIGEST)
    assert back is not None
    assert back.keys() == WEIGHTS.keys()
    assert all(torch.equal(back[name], WEIGHTS[name]) for name in WEIGHTS)


def test_there_are_none_before_they_are_written(tmp_path: Path) -> None:
    assert read_weights(tmp_path / "w.safetensors", digest=DIGEST) is None


def test_weights_that_share_memory_are_kept_apart(tmp_path: Path) -> None:
    shared = torch.randn(4)
    weights = {"a": shared, "b": shared}
    write_weights(tmp_path / "one", weights, digest=weights_digest(weights))
    back = read_weights(tmp_path / "one", digest=weights_digest(weights))
    assert back is not None
    assert torch.equal(back["a"], back["b"])


def test_weights_stand_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "w.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_weights(path, WEIGHTS, digest=DIGEST)
    assert read_weights(path, digest=DIGEST) is None
    write_weights(path, WEIGHTS, digest=DIGEST)
    assert read_weights(path, digest=DIGEST) is not None
    assert [each.name for each in tmp_path.iterdir()] == ["w.safetensors"]


@pytest.mark.parametrize("damage", ["truncated", "emptied", "other weights", "no digest", "another name"])
def test_damaged_weights_are_set_aside_loudly_and_can_be_written_again(path: Path, damage: str) -> None:
    weights, digest = load_file(path), DIGEST
    match damage:
        case "truncated":
            path.write_bytes(path.read_bytes()[:-1])
        case "emptied":
            path.write_bytes(b"")
        case "other weights":
            save_file({**weights, "a": weights["a"] + 1}, path, metadata={"weights_digest": digest})
        case "no digest":
            save_file(weights, path)
        case "another name":
            digest = "0" * 16
    with pytest.warns(CheckpointWarning, match=r"w\.safetensors is damaged \(.*\): moved to w\.safetensors\.dama"):
        assert read_weights(path, digest=digest) is None
    assert path.with_name("w.safetensors.damaged").is_file()
    assert read_weights(path, digest=DIGEST) is None
    write_weights(path, WEIGHTS, digest=DIGEST)
    assert read_weights(path, digest=DIGEST) is not None


@pytest.mark.parametrize("shape", [(1, 6), (2, 3), (6,)])
def test_other_shapes_of_the_same_bits_are_damage(path: Path, shape: tuple[int, ...]) -> None:
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    save_file(load_file(path) | {"a": WEIGHTS["a"].reshape(shape)}, path, metadata=header)
    with pytest.warns(CheckpointWarning, match=r"\(not the shapes or the origin that were written\)"):
        assert read_weights(path, digest=DIGEST) is None


@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_changed_byte_never_changes_a_weight_silently(
    tmp_path_factory: pytest.TempPathFactory, place: float, bits: int
) -> None:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    write_weights(path, WEIGHTS, digest=DIGEST)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= bits
    path.write_bytes(content)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        back = read_weights(path, digest=DIGEST)
    assert (back is None) == bool(told)
    assert back is None or all(torch.equal(back[name], WEIGHTS[name]) for name in WEIGHTS)


def test_a_digest_depends_on_names_types_and_bits_not_on_order_or_layout() -> None:
    assert weights_digest(dict(reversed(WEIGHTS.items()))) == DIGEST
    assert weights_digest({**WEIGHTS, "c": WEIGHTS["c"].contiguous()}) == DIGEST
    assert weights_digest({**WEIGHTS, "b": WEIGHTS["b"].int()}) != DIGEST
    assert weights_digest({**WEIGHTS, "a": -WEIGHTS["a"]}) != DIGEST
    assert weights_digest({("z" if name == "a" else name): tensor for name, tensor in WEIGHTS.items()}) != DIGEST
