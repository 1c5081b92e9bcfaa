"""Which blocks a step leaves out: the law of the draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.training.dropping import check_stages, drop_blocks
from search_spaces import Action, Architecture
from tests.nas.synthetic import shapes_space
from tests.strategies import architectures

SPACE = shapes_space()


def blocks(architecture: Architecture) -> list[int]:
    """Both genes of every position."""
    return [count for _, p in architecture.positions() for count in (p.resnets, p.cross_attentions)]


@given(architectures(SPACE), st.integers(0, 1000))
def test_with_probability_zero_every_block_runs(architecture: Architecture, seed: int) -> None:
    assert drop_blocks(architecture, probability=0, rng=np.random.default_rng(seed)) == architecture


@given(architectures(SPACE), st.floats(0, 0.99), st.integers(0, 1000))
def test_blocks_are_left_out_never_added(architecture: Architecture, probability: float, seed: int) -> None:
    dropped = drop_blocks(architecture, probability=probability, rng=np.random.default_rng(seed))
    SPACE.check(dropped)
    assert all(0 <= now <= before for now, before in zip(blocks(dropped), blocks(architecture), strict=True))


@given(st.integers(0, 1000), st.sets(st.sampled_from([str(a)[1:] for a in SPACE.removals(SPACE.base)])))
def test_protected_blocks_always_run(seed: int, protected: set[str]) -> None:
    dropped = drop_blocks(SPACE.base, probability=0.9, rng=np.random.default_rng(seed), protected=protected)
    gone = {str(a)[1:] for a in set(SPACE.removals(SPACE.base)) - set(SPACE.removals(dropped))}
    assert gone.isdisjoint(protected)


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_each_block_is_left_out_as_often_as_asked(probability: float) -> None:
    rng, num = np.random.default_rng(0), 1000
    base = np.array(blocks(SPACE.base))
    runs = np.mean([blocks(drop_blocks(SPACE.base, probability=probability, rng=rng)) for _ in range(num)], axis=0)
    shares = 1 - runs[base > 0]
    assert len(shares) == 38
    assert shares.mean() == pytest.approx(probability, abs=0.01)
    assert np.abs(shares - probability).max() < 5 * np.sqrt(probability * (1 - probability) / num)


def test_a_kind_and_stage_may_have_a_chance_of_its_own() -> None:
    exceptions = {"cross_attention[down.0]": 0.9}
    rng = np.random.default_rng(0)
    drawn = [drop_blocks(SPACE.base, probability=0, rng=rng, by_stage=exceptions) for _ in range(200)]
    gone = {str(a)[1:] for d in drawn for a in set(SPACE.removals(SPACE.base)) - set(SPACE.removals(d))}
    assert gone == {"cross_attention[down.0,0]", "cross_attention[down.0,1]"}
    assert np.mean([d.stage("down.0").num_cross_attentions for d in drawn]) == pytest.approx(2 * 0.1, abs=0.1)


def test_stages_with_a_chance_of_their_own_must_exist() -> None:
    check_stages(SPACE, {"resnet[mid]": 0.5})
    with pytest.raises(ValueError, match=r"does not have: \['resnet\[up\.3,0\]', 'resnet\[up\.9\]'\]; choose"):
        check_stages(SPACE, {"resnet[up.9]": 0.5, "resnet[up.3,0]": 0.5})


def test_copies_are_drawn_for_one_by_one() -> None:
    doubled = Action.parse("+cross_attention[mid,0]").apply(SPACE.base)
    rng = np.random.default_rng(0)
    depths = [drop_blocks(doubled, probability=0.5, rng=rng).position("mid", 0).cross_attentions for _ in range(400)]
    counts = np.bincount(depths, minlength=3) / 400
    assert counts == pytest.approx([0.25, 0.5, 0.25], abs=0.08)
