"""The law of skipping: units are the space's own actions, and blocks go as often as their rates say."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.training.skipping.families import draw, families_of
from nas.training.skipping.making import skip_strategy
from nas.training.skipping.rates import rates_of
from nas.training.skipping.settings import Skipping
from search_spaces import Action, Architecture, UNetSpace, space_from_config
from search_spaces.actions import GENES
from search_spaces.unets.space import KINDS
from search_spaces.unets.stock_space import SpaceForm
from tests.folders import KINDS as MODELS
from tests.folders import unet_config
from tests.strategies import architectures

NUM = 1000
SD1, SDXL = (space_from_config(unet_config(kind)) for kind in ("sd1", "sdxl"))


def stock(kind: str) -> UNetSpace:
    return space_from_config(unet_config(kind), form=SpaceForm.STOCK)


def counts(architecture: Architecture) -> Counter[str]:
    """How many layers every block has, by its name."""
    return Counter(
        {
            f"{kind}[{place},{position.source}]": getattr(position, GENES[kind])
            for place, position in architecture.positions()
            for kind in KINDS
        }
    )


def gone(space: UNetSpace, rate: float) -> dict[str, np.ndarray]:
    """How many layers of every block were gone in each of `NUM` steps; every sub-network is in the space."""
    strategy = skip_strategy(Skipping(probability=rate), space=space, architecture=space.base)
    drawn = []
    for step in range(NUM):
        (subnetwork,) = strategy.subnetworks(step=step, num_steps=NUM, seed=0)
        space.check(subnetwork)
        drawn.append(counts(subnetwork))
    full = counts(space.base)
    return {block: np.array([full[block] - each[block] for each in drawn]) for block in space.block_names}


def gone_of(space: UNetSpace, block: str, *, architecture: Architecture, rate: float) -> np.ndarray:
    """How many layers of the only block that may be skipped were gone in each of `NUM` steps."""
    families = families_of(space, architecture, rates=dict.fromkeys(space.block_names, 0.0) | {block: rate})
    rng = np.random.default_rng(0)
    drawn = [counts(draw(families, space=space, architecture=architecture, rng=rng))[block] for _ in range(NUM)]
    return counts(architecture)[block] - np.array(drawn)


def near(share: float, expected: float, *, num: int = NUM) -> bool:
    """Whether a share of `num` draws may well be of a chance: within five standard deviations of it."""
    return abs(share - expected) <= 5 * np.sqrt(expected * (1 - expected) / num) + 1e-9


@pytest.mark.parametrize("rate", [0.1, 0.6])
@pytest.mark.parametrize("space", [SD1, SDXL], ids=["sd1", "sdxl"])
def test_every_block_is_skipped_as_often_as_asked(space: UNetSpace, rate: float) -> None:
    missing = gone(space, rate)
    assert missing.keys() == space.block_names
    assert all(near(float(np.mean(layers > 0)), rate) for layers in missing.values())
    assert np.mean([layers > 0 for layers in missing.values()]) == pytest.approx(rate, abs=0.02)


def test_of_ten_layers_j_are_gone_with_the_jth_power() -> None:
    layers = gone_of(SDXL, "cross_attention[mid,0]", architecture=SDXL.base, rate=0.6)
    assert all(near(float(np.mean(layers >= j)), 0.6**j) for j in range(1, 11))
    assert layers.max() <= 10


def test_copies_go_before_what_they_are_copies_of() -> None:
    doubled = Action.parse("+resnet[mid,0]").apply(SD1.base)
    layers = gone_of(SD1, "resnet[mid,0]", architecture=doubled, rate=0.5)
    assert near(float(np.mean(layers >= 1)), 0.5)
    assert near(float(np.mean(layers == 2)), 0.25)


@pytest.mark.parametrize("kind", MODELS)
def test_tied_blocks_go_together_and_none_too_often(kind: str) -> None:
    space, rate = stock(kind), 0.15
    units = [unit for family in families_of(space, space.base, rates=rates_of(space, Skipping(probability=rate)))
             for unit in family]  # fmt: skip
    promised = Counter[str]()
    for unit in units:
        promised.update(dict.fromkeys(space.touched(unit.action), unit.rate))
    assert {unit.action for unit in units} == {*space.removals(space.base)}
    assert max(promised.values()) == pytest.approx(rate)
    assert all(max(promised[block] for block in space.touched(unit.action)) == pytest.approx(rate) for unit in units)
    missing = gone(space, rate)
    assert all(near(float(np.mean(layers > 0)), promised[block]) for block, layers in missing.items())


# Its mid block has the depth of its innermost cross-attention, once the stages without any are gone.
DEEP = space_from_config(unet_config("sd1") | {"transformer_layers_per_block": 2}, form=SpaceForm.STOCK)


def test_families_do_not_touch_one_another() -> None:
    families = families_of(DEEP, DEEP.base, rates=dict.fromkeys(DEEP.block_names, 0.1))
    pairs = [(a.action, b.action) for f, g in combinations(families, 2) for a in f for b in g]
    assert all(not DEEP.touched(one) & DEEP.touched(other) for one, other in pairs)
    assert all(DEEP.why_not(other, architecture=one.apply(DEEP.base)) is None for one, other in pairs)


def test_of_a_family_one_unit_goes_at_most() -> None:
    space = stock("sd1")
    of_mid = [f for f in families_of(space, space.base, rates=dict.fromkeys(space.block_names, 0.15))
              if any("[mid," in str(unit.action) for unit in f)]  # fmt: skip
    assert [len(family) for family in of_mid] == [3], "the mid block as a whole contains both its halves"
    rng = np.random.default_rng(0)
    drawn = Counter(draw(of_mid, space=space, architecture=space.base, rng=rng) for _ in range(3000))
    expected = {unit.action.apply(space.base): unit.rate for unit in of_mid[0]} | {space.base: 0.85}
    assert drawn.keys() == expected.keys()
    assert all(near(drawn[one] / 3000, share, num=3000) for one, share in expected.items())


@given(architectures(SD1), st.floats(0, 0.99), st.integers(0, 1000))
def test_blocks_are_left_out_never_added(architecture: Architecture, rate: float, seed: int) -> None:
    strategy = skip_strategy(Skipping(probability=rate), space=SD1, architecture=architecture)
    (subnetwork,) = strategy.subnetworks(step=3, num_steps=10, seed=seed)
    SD1.check(subnetwork)
    assert counts(subnetwork) <= counts(architecture)


@given(st.dictionaries(st.sampled_from(sorted(SD1.block_names)), st.floats(0, 0.99)), st.integers(0, 1000))
def test_rates_may_differ_by_block(some: dict[str, float], seed: int) -> None:
    rates = dict.fromkeys(SD1.block_names, 0.0) | some
    families = families_of(SD1, SD1.base, rates=rates)
    assert {str(u.action)[1:]: u.rate for (u,) in families} == pytest.approx({b: r for b, r in some.items() if r})
    drawn = draw(families, space=SD1, architecture=SD1.base, rng=np.random.default_rng(seed))
    assert all(rates[block] for block, layers in counts(SD1.base).items() if layers > counts(drawn)[block])


def test_rates_that_tied_blocks_cannot_have_are_refused_with_the_highest_that_they_can() -> None:
    space = stock("sdxl")
    with pytest.raises(ValueError, match=r"must be at most 0\.267 for blocks that the space ties.*are up to 0\.3:"):
        skip_strategy(Skipping(probability=0.3), space=space, architecture=space.base)
    skip_strategy(Skipping(probability=0.266), space=space, architecture=space.base)

    with pytest.raises(
        ValueError, match=r"must be at most 0\.2\d+ for blocks.*are up to 0\.5: of \d+ actions on .*cross_att"
    ):
        skip_strategy(
            Skipping(probability=0.01, by_kind={"cross_attention": 0.5}), space=space, architecture=space.base
        )


def test_a_unit_goes_again_with_the_least_rate_of_its_blocks() -> None:
    """Whatever is tied: a block never goes more often than its own rate says."""
    settings = Skipping(probability=0.05, by_kind={"cross_attention": 0.1}, by_stage={"up.0": 0.02, "down.1": 0.15})
    space = stock("sdxl")
    rates = rates_of(space, settings)
    units = [unit for family in families_of(space, space.base, rates=rates) for unit in family]
    touched = [{rates[block] for block in space.touched(unit.action)} for unit in units]
    assert any(len(each) > 1 for each in touched), "there are units of blocks with different rates"
    assert [unit.again for unit in units] == [min(each) for each in touched]
