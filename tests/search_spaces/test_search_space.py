"""The laws of search spaces, on ours and on a family that shares no class with them."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.testing.playing import SMALL_UNET
from nas.testing.spaces import SearchSpaceLaws
from search_spaces import SpaceForm, UNetSpace, space_from_config
from search_spaces.supernet import Supernet
from tests.depth_space import WIDTH, DepthSpace, DepthSupernet, depth_space


class TestUNetSpace(SearchSpaceLaws):
    @pytest.fixture
    def space(self) -> UNetSpace:
        return space_from_config(SMALL_UNET, max_copies=1)

    @pytest.fixture
    def supernet(self, space: UNetSpace) -> Supernet:
        torch.manual_seed(0)
        return Supernet(UNet2DConditionModel(**SMALL_UNET).eval(), space=space)

    @pytest.fixture
    def inputs(self) -> tuple[torch.Tensor, ...]:
        generator = torch.Generator().manual_seed(0)
        noise, text = (torch.randn(shape, generator=generator) for shape in ((1, 4, 8, 8), (1, 3, 8)))
        return noise, torch.tensor(7), text


class TestStockSpace(SearchSpaceLaws):
    @pytest.fixture
    def space(self) -> UNetSpace:
        return space_from_config(SMALL_UNET | {"layers_per_block": 2}, max_copies=1, form=SpaceForm.STOCK)


class TestDepthSpace(SearchSpaceLaws):
    @pytest.fixture
    def space(self) -> DepthSpace:
        return depth_space()

    @pytest.fixture
    def supernet(self, space: DepthSpace) -> DepthSupernet:
        torch.manual_seed(0)
        return DepthSupernet(space)

    @pytest.fixture
    def inputs(self) -> tuple[torch.Tensor, ...]:
        return (torch.ones(2, WIDTH),)


def test_digests_tell_spaces_apart() -> None:
    spaces = [
        space_from_config(SMALL_UNET, max_copies=copies, form=form)
        for copies in (1, 2)
        for form in (SpaceForm.ANY, SpaceForm.STOCK)
    ]
    assert len({space.digest for space in spaces}) == len(spaces)
    assert spaces[0].digest == space_from_config(SMALL_UNET, max_copies=1).digest
