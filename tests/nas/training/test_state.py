"""States on disk: what was written comes back, of no other training, and damage never unnoticed."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.training.state import StateError, TrainingState, read_state, write_state

STATE = TrainingState(
    identity={"arch_id": "a", "settings": "s"},
    step=2,
    losses=torch.tensor([0.1, 1 / 3], dtype=torch.float64),
    position={"shard": 3, "row": [1, {"x": None}]},
    scale={"scale": 65536.0, "_growth_tracker": 7},
    weights={"w": torch.randn(2, 3), "v": torch.randn(3).half()},
    average={"w": torch.randn(2, 3), "v": torch.randn(3)},
    moments={"w": {"exp_avg": torch.randn(2, 3), "exp_avg_sq": torch.rand(2, 3), "step": torch.tensor(2.0)}},
)


def test_a_state_comes_back(tmp_path: Path) -> None:
    write_state(tmp_path / "deep" / "state", STATE)
    back = read_state(tmp_path / "deep" / "state", identity={"arch_id": "a"})
    assert back is not None
    for name in ("identity", "step", "position", "scale"):
        assert getattr(back, name) == getattr(STATE, name)
    assert torch.equal(back.losses, STATE.losses)
    for name in ("weights", "average"):
        mine, theirs = getattr(STATE, name), getattr(back, name)
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    assert back.moments.keys() == {"w"}
    assert all(torch.equal(STATE.moments["w"][key], back.moments["w"][key]) for key in STATE.moments["w"])


def test_there_is_none_before_it_is_written(tmp_path: Path) -> None:
    assert read_state(tmp_path / "state", identity={}) is None


def test_a_later_state_replaces_the_earlier_one(tmp_path: Path) -> None:
    write_state(tmp_path / "state", STATE)
    write_state(tmp_path / "state", replace(STATE, step=5))
    back = read_state(tmp_path / "state", identity={})
    assert back is not None
    assert back.step == 5
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_state_of_another_training_is_refused_and_stays(tmp_path: Path) -> None:
    write_state(tmp_path / "state", STATE)
    wanted = {"arch_id": "b", "settings": "s", "seed": "3"}
    law = r"it differs in arch_id \(it is of a, but this one is of b\), seed \(it is of None, .* of 3\); give"
    with pytest.raises(StateError, match=law):
        read_state(tmp_path / "state", identity=wanted)
    assert (tmp_path / "state").is_file()


@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_changed_byte_is_noticed(tmp_path_factory: pytest.TempPathFactory, place: float, bits: int) -> None:
    path = tmp_path_factory.mktemp("state") / "state"
    write_state(path, STATE)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= bits
    path.write_bytes(content)
    try:
        back = read_state(path, identity={"arch_id": "a"})
    except StateError:
        return
    assert back is not None  # a byte of padding
    assert torch.equal(back.weights["w"], STATE.weights["w"])
    assert (back.step, back.position) == (STATE.step, STATE.position)


def test_a_changed_bit_of_a_weight_is_noticed(tmp_path: Path) -> None:
    write_state(tmp_path / "state", STATE)
    content = bytearray((tmp_path / "state").read_bytes())
    content[-1] ^= 1
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(StateError, match="it is not what was written"):
        read_state(tmp_path / "state", identity={})


@pytest.mark.parametrize("content", [b"", b"x" * 100])
def test_what_is_no_state_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(StateError, match=r"must be a whole state of a training, but is damaged .*; delete it to train"):
        read_state(tmp_path / "state", identity={})
