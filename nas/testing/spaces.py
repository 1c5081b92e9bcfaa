"""The laws of search spaces: inherit `SearchSpaceLaws` and give it one fixture.

    class TestMine(SearchSpaceLaws):
        @pytest.fixture
        def space(self):
            return MySpace(...)

With `supernet` the laws between values and networks are checked too: give a supernet of the space, and `inputs`, the
positional arguments of one forward pass.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pytest

from search_spaces.search_space import SearchSpace, SupernetOf

NUM_SAMPLES: Final = 12


class SearchSpaceLaws:
    """Laws of the doors `SearchSpace` and `SupernetOf`."""

    @pytest.fixture
    def space(self) -> SearchSpace:
        """The space under test."""
        raise NotImplementedError("a class of laws needs the fixture `space`")

    @pytest.fixture
    def supernet(self) -> SupernetOf | None:
        """A supernet of the space; None = the laws of networks are skipped."""
        return None

    @pytest.fixture
    def inputs(self) -> tuple[Any, ...]:
        """Arguments of one forward pass."""
        return ()

    def test_the_base_and_every_sample_lie_in_the_space(self, space: SearchSpace) -> None:
        """`sample` gives architectures of the space, the same for the same generator, and not always the same one."""
        found = list(_samples(space))
        for architecture in (space.base, *found):
            space.check(architecture)
        assert found == list(_samples(space))
        assert len({architecture.arch_id for architecture in found}) > 1

    def test_listed_actions_can_be_executed_and_undone(self, space: SearchSpace) -> None:
        """`why_not` has nothing against them, they stay in the space, and their inverses lead back."""
        for architecture in (space.base, *_samples(space)):
            for action in (*space.removals(architecture), *space.copies(architecture)):
                assert space.why_not(action, architecture=architecture) is None
                after = action.apply(architecture)
                space.check(after)
                assert after != architecture
                assert action.inverse.apply(after) == architecture
                assert action.inverse.sign is action.sign.opposite

    def test_actions_sort_and_have_texts_of_their_own(self, space: SearchSpace) -> None:
        """Ties have an order, and a trace tells actions apart."""
        actions = [*space.removals(space.base), *space.copies(space.base)]
        backwards = actions[::-1]
        assert sorted(actions) == sorted(backwards)
        assert len({str(action) for action in actions}) == len(actions)

    def test_removals_touch_blocks_of_the_base(self, space: SearchSpace) -> None:
        """`protected` is written with the names of `block_names`."""
        assert space.block_names
        for action in space.removals(space.base):
            assert space.touched(action)
            assert space.touched(action) <= space.block_names
            assert not space.takes_copy(action, architecture=space.base)
        for action in space.copies(space.base):
            assert space.takes_copy(action.inverse, architecture=action.apply(space.base))

    def test_removing_adds_nothing_and_copying_takes_nothing(self, space: SearchSpace) -> None:
        """Parameters and multiply-accumulates follow the actions."""
        for architecture in (space.base, *_samples(space)):
            params, macs = space.num_params(architecture), space.num_macs(architecture)
            for action in space.removals(architecture):
                after = action.apply(architecture)
                assert space.num_params(after) <= params
                assert space.num_macs(after) <= macs
            for action in space.copies(architecture):
                after = action.apply(architecture)
                assert space.num_params(after) >= params
                assert space.num_macs(after) >= macs

    def test_identity_is_content(self, space: SearchSpace) -> None:
        """Architectures that are equal hash alike and have one digest; different ones have two."""
        found = [space.base, *_samples(space)]
        for one in found:
            for other in found:
                assert (one == other) == (one.arch_id == other.arch_id)
                assert one != other or hash(one) == hash(other)
        assert isinstance(space.digest, str)
        assert space.summary(space.base)

    def test_a_supernet_computes_what_its_materialised_architectures_do(
        self, space: SearchSpace, supernet: SupernetOf | None, inputs: tuple[Any, ...]
    ) -> None:
        """Bit for bit; torch counts the parameters that the space says."""
        if supernet is None:
            pytest.skip("no supernet was given")
        import torch

        for architecture in (space.base, *list(_samples(space))[:4]):
            network = supernet.materialise(architecture)
            assert sum(parameter.numel() for parameter in network.parameters()) == space.num_params(architecture)
            with torch.inference_mode(), supernet.switched(architecture) as shared:
                assert torch.equal(_tensor(network(*inputs)), _tensor(shared(*inputs)))


def _samples(space: SearchSpace) -> Iterator[Any]:
    rng = np.random.default_rng(0)
    return (space.sample(rng) for _ in range(NUM_SAMPLES))


def _tensor(output: Any) -> Any:
    """The tensor of an output, diffusers' own kind or a plain one."""
    return getattr(output, "sample", output)
