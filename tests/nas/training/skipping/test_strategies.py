"""Strategies by name: what a step trains, as a function of settings, seed and step alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.training.settings import RobustTrainingSettings
from nas.training.skipping.making import skip_strategy
from nas.training.skipping.rates import rates_of
from nas.training.skipping.settings import Skipping, StrategyName
from search_spaces import Architecture, UNetSpace, space_from_config
from search_spaces.unets.stock_space import SpaceForm
from tests.folders import unet_config
from tests.leisure import examples

ANY, STOCK = (space_from_config(unet_config("sd1"), form=form) for form in (SpaceForm.ANY, SpaceForm.STOCK))
BOTH = pytest.mark.parametrize("space", [ANY, STOCK], ids=["any", "stock"])


def steps(
    settings: Skipping, space: UNetSpace = ANY, *, num: int = 20, seed: int = 0, **options: Any
) -> list[tuple[Architecture, ...]]:
    strategy = skip_strategy(settings, space=space, architecture=space.base, **options)
    return [strategy.subnetworks(step=step, num_steps=num, seed=seed) for step in range(num)]


@BOTH
@pytest.mark.parametrize("name", StrategyName)
def test_the_seed_and_the_step_alone_decide(name: StrategyName, space: UNetSpace) -> None:
    settings = Skipping(strategy=name, probability=0.3)
    strategy = skip_strategy(settings, space=space, architecture=space.base)
    backwards = [strategy.subnetworks(step=step, num_steps=20, seed=0) for step in reversed(range(20))]
    assert steps(settings, space) == backwards[::-1]
    assert steps(settings, space, seed=1) != backwards[::-1]
    assert len(set(backwards)) > 1


@pytest.mark.parametrize("name", StrategyName)
def test_with_probability_zero_the_full_network_alone_is_trained(name: StrategyName) -> None:
    assert set(steps(Skipping(strategy=name, probability=0.0))) == {(ANY.base,)}


@BOTH
@examples(15)
@given(data=st.data(), seed=st.integers(0, 100), name=st.sampled_from(StrategyName))
def test_protected_blocks_always_run(data: st.DataObject, space: UNetSpace, seed: int, name: StrategyName) -> None:
    protected = data.draw(st.sets(st.sampled_from(sorted(space.block_names))))
    settings = Skipping(strategy=name, probability=0.4)
    for subnetwork in (each for some in steps(settings, space, num=2, seed=seed, protected=protected) for each in some):
        space.check(subnetwork)
        names = {f"{kind}[{place},{p.source}]" for place, p in subnetwork.positions()
                 for kind, num in (("resnet", p.resnets), ("cross_attention", p.cross_attentions)) if num}  # fmt: skip
        assert protected <= names


def test_the_sandwich_is_the_full_network_the_smallest_and_random_ones() -> None:
    for full, smallest, *others in steps(Skipping(strategy=StrategyName.SANDWICH, probability=0.3, num_random=3)):
        assert full == ANY.base
        assert smallest.num_resnets == smallest.num_cross_attentions == 0
        assert len(others) == 3
        assert all(0 < each.num_resnets < full.num_resnets for each in others)


def test_the_smallest_of_the_stock_space_is_stock_and_offers_no_removal() -> None:
    ((_, smallest, *_), *_) = steps(Skipping(strategy=StrategyName.SANDWICH, probability=0.3), STOCK)
    STOCK.check(smallest)
    assert not STOCK.removals(smallest)


def test_rates_rise_with_the_ramp() -> None:
    ramped = steps(Skipping(probability=0.4, ramp=0.5), num=1000)
    shares = np.array([1 - each.num_resnets / ANY.base.num_resnets for (each,) in ramped]).reshape(10, 100).mean(axis=1)
    assert ramped[0] == (ANY.base,)
    assert shares == pytest.approx([0.04, 0.12, 0.2, 0.28, 0.36, *[0.4] * 5], abs=0.05)


@pytest.mark.parametrize(
    ("block", "rate"),
    [
        ("resnet[down.0,0]", 0.1),
        ("resnet[mid,0]", 0.2),
        ("cross_attention[mid,0]", 0.3),
        ("cross_attention[down.0,1]", 0.5),
        ("resnet[up.3,0]", 0.4),
        ("cross_attention[up.3,0]", 0.4),
        ("resnet[up.3,1]", 0.0),
    ],
)
def test_the_most_particular_rate_counts(block: str, rate: float) -> None:
    settings = Skipping(
        probability=0.1,
        by_kind={"cross_attention": 0.3},
        by_stage={"up.3": 0.4, "resnet[mid]": 0.2, "cross_attention[down.0]": 0.5},
    )
    assert rates_of(ANY, settings, protected={"resnet[up.3,1]"})[block] == rate


def test_names_must_be_the_models_own() -> None:
    settings = Skipping(by_kind={"conv": 0.1}, by_stage={"up.9": 0.1, "mid": 0.2, "resnet[up.3,0]": 0.1})
    with pytest.raises(ValueError, match="does not have") as caught:
        skip_strategy(settings, space=ANY, architecture=ANY.base, protected=["resnet[up.8,0]"])
    message = str(caught.value)
    assert "kinds that the model does not have: ['conv']; choose among ['cross_attention', 'resnet']" in message
    assert "stages that the model does not have: ['resnet[up.3,0]', 'up.9']; choose among ['cross_att" in message
    assert "blocks that the model does not have: ['resnet[up.8,0]']; choose among ['cross_attention[do" in message


@pytest.mark.parametrize("wrong", [{"probability": 1.0}, {"by_kind": {"resnet": 1.5}}, {"by_stage": {"mid": 1.0}}])
def test_a_rate_of_one_or_more_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be less than 1"):
        Skipping(**wrong)


def test_settings_of_training_are_those_of_skipping() -> None:
    settings = RobustTrainingSettings(
        drop_probability=0.2,
        drop_probability_by_kind={"resnet": 0.3},
        drop_probability_by_stage={"mid": 0.4},
        drop_ramp=0.5,
        drop_strategy=StrategyName.SANDWICH,
        drop_num_random=3,
    )
    assert settings.skipping == Skipping(
        strategy=StrategyName.SANDWICH,
        probability=0.2,
        by_kind={"resnet": 0.3},
        by_stage={"mid": 0.4},
        ramp=0.5,
        num_random=3,
    )
    assert RobustTrainingSettings().skipping == Skipping()


def test_by_default_a_tenth_is_skipped_from_the_first_step_on() -> None:
    default = Skipping()
    assert (default.probability, default.strength(step=0, num_steps=10)) == (0.1, 1.0)
