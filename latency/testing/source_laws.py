"""The laws of a latency source, for a test class that inherits them and has two fixtures.

class TestMySource(LatencySourceLaws):
    @pytest.fixture
    def source(self):
        return MySource(...)

    @pytest.fixture
    def space(self):
        return space_from_config(read_unet_config(Path("models/mine")))
"""

import math
import pickle
import random
from collections.abc import Iterator
from itertools import combinations
from typing import ClassVar

import numpy as np
import pytest

from latency.plugins import missing_members
from latency.pricing.prediction import LatencyPrediction
from latency.pricing.source import ItemisedPrices, LatencySource, Prices, tied
from search_spaces import Action, Architecture, UNetSpace

ROUNDING = 1e-9  # share by which sums of the same numbers in another order may differ
MAX_ACTIONS = 8
REMOVAL_CHANCE = 0.8


class LatencySourceLaws:
    """What every source promises.

    Attributes:
        context_tokens: Text tokens that cross-attentions read.
        num_architectures: Random architectures that the laws are tried on, besides the base model.
        tolerance: Share by which a price may break the laws about cheaper and dearer; for sources that measure.
    """

    context_tokens: ClassVar[int] = 77
    num_architectures: ClassVar[int] = 6
    tolerance: ClassVar[float] = 0.0
    _digest: ClassVar[str | None] = None

    @pytest.fixture
    def source(self) -> LatencySource:
        """The source, constructed anew for every test; to be overridden."""
        raise NotImplementedError("give your class a fixture `source`")

    @pytest.fixture
    def space(self) -> UNetSpace:
        """A space that the source prices; to be overridden."""
        raise NotImplementedError("give your class a fixture `space`")

    @pytest.fixture
    def prices(self, source: LatencySource, space: UNetSpace) -> Prices:
        """The source's prices of the space."""
        return source.prices(space, context_tokens=self.context_tokens)

    @pytest.fixture
    def architectures(self, space: UNetSpace) -> tuple[Architecture, ...]:
        """The base model and random others."""
        rng = random.Random(0)
        return space.base, *(_evolved(space, rng) for _ in range(self.num_architectures))

    def test_it_is_a_source_and_makes_prices(self, source: LatencySource, prices: Prices) -> None:
        """All members are there, and what is said of model and device has words."""
        assert not missing_members(source, LatencySource)
        assert not missing_members(prices, Prices)
        assert source.scenario.model
        assert source.scenario.device
        assert source.scenario.name
        assert source.distrust is None or source.distrust.strip()
        assert 0 <= prices.relative_error < 1

    def test_prices_are_positive_and_know_their_error(
        self, prices: Prices, architectures: tuple[Architecture, ...]
    ) -> None:
        """Milliseconds and standard errors are finite, and both ways of asking agree."""
        for architecture in architectures:
            latency = prices.latency(architecture)
            assert 0 < prices(architecture) < math.inf
            assert latency.ms == pytest.approx(prices(architecture), rel=ROUNDING)
            assert 0 <= latency.error_ms < math.inf

    def test_removing_never_raises_the_price(
        self, prices: Prices, space: UNetSpace, architectures: tuple[Architecture, ...]
    ) -> None:
        """Whatever is removed, but for whole stages: without one, those inside of it compute larger maps."""
        for before in architectures:
            for action in space.removals(before):
                after = action.apply(before)
                if len(after.stages) < len(before.stages):
                    continue
                assert prices(after) <= prices(before) * (1 + self.tolerance + ROUNDING), f"{action} of {before}"

    def test_what_stays_of_a_removed_block_never_costs_more_than_the_block(
        self, prices: Prices, space: UNetSpace
    ) -> None:
        """A skipped ResNet that changes channels leaves its shortcut behind."""
        for before, after, where in _skipped(space):
            assert prices(after) <= prices(before) * (1 + self.tolerance + ROUNDING), where
            if isinstance(prices, ItemisedPrices):
                old, new = (
                    math.fsum(
                        block.ms
                        for block in prices.prediction(each).breakdown
                        if (block.stage, block.position) == where
                    )
                    for each in (before, after)
                )
                assert new <= old * (1 + self.tolerance + ROUNDING), where

    def test_the_breakdown_sums_to_the_price(self, prices: Prices, architectures: tuple[Architecture, ...]) -> None:
        """Where there is one."""
        if not isinstance(prices, ItemisedPrices):
            pytest.skip("these prices are not made of blocks")
        for architecture in architectures:
            prediction = prices.prediction(architecture)
            assert all(block.ms >= 0 for block in prediction.breakdown)
            assert math.fsum(block.ms for block in prediction.breakdown) == pytest.approx(
                prices(architecture), rel=ROUNDING
            )

    def test_many_at_once_are_as_one_by_one(
        self, source: LatencySource, space: UNetSpace, architectures: tuple[Architecture, ...]
    ) -> None:
        """Whichever is asked first, in any order, one twice, or none."""
        at_once, one_by_one = (source.prices(space, context_tokens=self.context_tokens) for _ in range(2))
        asked = [*architectures, architectures[0]]
        together = at_once.milliseconds(asked)
        assert together.shape == (len(asked),)
        backwards = [one_by_one(architecture) for architecture in reversed(asked)][::-1]
        np.testing.assert_allclose(together, backwards, rtol=ROUNDING)
        np.testing.assert_allclose([at_once(each) for each in asked], together, rtol=ROUNDING)
        assert at_once.milliseconds([]).shape == (0,)

    @pytest.mark.parametrize("construction", ["first", "second"])
    def test_the_digest_is_the_same_for_every_construction(self, source: LatencySource, construction: str) -> None:
        """Two constructions of the fixture, and what pickling makes of each."""
        cls = type(self)
        cls._digest = source.digest if cls._digest is None else cls._digest
        assert source.digest
        assert source.digest == cls._digest, construction
        assert pickle.loads(pickle.dumps(source)).digest == source.digest

    def test_pickled_prices_are_small_and_the_same(
        self, prices: Prices, space: UNetSpace, architectures: tuple[Architecture, ...]
    ) -> None:
        """Caches stay behind: workers and algorithms' states are sent without them."""
        small = len(pickle.dumps(prices))
        expected = prices.milliseconds(architectures)
        after_removal = [action.apply(space.base) for action in space.removals(space.base)]
        prices.milliseconds(after_removal)
        pickled = pickle.dumps(prices)
        assert len(pickled) == pytest.approx(small, rel=0.1), "prices hold their caches when they are pickled"
        np.testing.assert_allclose(pickle.loads(pickled).milliseconds(architectures), expected, rtol=ROUNDING)

    def test_edits_that_are_closer_than_the_uncertainty_are_tied(self, prices: Prices, space: UNetSpace) -> None:
        """Every edit with itself, two in either order, and never two whose savings differ by twice as much."""
        base, u = space.base, prices.relative_error
        edits = [action.apply(base) for action in space.removals(base)]
        for edit in edits:
            assert tied(prices, base, first=edit, second=edit)
        for first, second in combinations(edits, 2):
            saved, other = prices(base) - prices(first), prices(base) - prices(second)
            is_tied = tied(prices, base, first=first, second=second)
            assert is_tied == tied(prices, base, first=second, second=first)
            if abs(saved - other) < u * max(abs(saved), abs(other)):
                assert is_tied
            if abs(saved - other) > 2 * u * max(abs(saved), abs(other)):
                assert not is_tied


def _evolved(space: UNetSpace, rng: random.Random) -> Architecture:
    """An architecture that a few random actions lead to, most of which remove."""
    architecture = space.base
    for _ in range(rng.randint(1, MAX_ACTIONS)):
        possible = space.removals if rng.random() < REMOVAL_CHANCE else space.copies
        if actions := possible(architecture):
            architecture = rng.choice(actions).apply(architecture)
    return architecture


def _skipped(space: UNetSpace) -> Iterator[tuple[Architecture, Architecture, tuple[str, int]]]:
    """The base model, it without one block of a position, and the position: for every block that can go alone."""
    for action in space.removals(space.base):
        if isinstance(action, Action):
            yield space.base, action.apply(space.base), (action.stage, action.position)


def _position_ms(prediction: LatencyPrediction, where: tuple[str, int]) -> float:
    return math.fsum(block.ms for block in prediction.breakdown if (block.stage, block.position) == where)
