"""Block similarity: one pass for all blocks, nothing for the networks that lack some of them."""

from collections.abc import Callable

import pytest
import torch

from nas.evaluation.block_similarity import BlockSimilarity
from nas.evaluation.door import Score, ScoreError
from nas.evaluation.setting import ScoreSetting
from nas.testing.scores import ScoreLaws
from search_spaces import parse_action
from search_spaces.block_forms import neutralise
from search_spaces.supernet import Supernet


class TestBlockSimilarity(ScoreLaws):
    @pytest.fixture
    def setting(self, small_setting: ScoreSetting) -> ScoreSetting:
        return small_setting

    @pytest.fixture
    def make(self) -> Callable[[ScoreSetting], Score]:
        return BlockSimilarity


def test_what_says_nothing_is_0_and_several_blocks_add_up(small_setting: ScoreSetting) -> None:
    supernet, passes = Supernet(small_setting.model.load_unet().requires_grad_(False)), list[int]()
    neutralise(supernet.unet.mid_block.resnets[1])
    score, base = BlockSimilarity(small_setting), supernet.space.base
    score.start(supernet.unet)
    supernet.unet.register_forward_pre_hook(lambda *args: passes.append(1))

    def number(*actions: str) -> torch.Tensor:
        architecture = base
        for action in actions:
            architecture = parse_action(action).apply(architecture)
        with supernet.switched(architecture) as unet:
            return torch.tensor(score.probe(unet, chunk=0), dtype=torch.float64)

    assert number("-resnet[mid,1]").tolist() == [0.0, 0.0]
    one, other = number("-cross_attention[mid,0]"), number("-resnet[up.0,1]")
    assert min(*one, *other) > 0
    torch.testing.assert_close(number("-cross_attention[mid,0]", "-resnet[up.0,1]"), one + other)
    assert not passes, "a network without a block is never run"
    with supernet.switched(parse_action("-cross_attention[mid,0]").apply(base)) as unet:
        score.refer(unet)
        assert sum(passes) == small_setting.validation.num_chunks
        assert score.probe(unet, chunk=0) == (0.0, 0.0)


def test_a_model_without_such_blocks_is_refused(small_setting: ScoreSetting) -> None:
    score = BlockSimilarity(small_setting)
    with pytest.raises(ScoreError, match=r"knows the ResNets and transformers of diffusers, but this UNet has none"):
        score.refer(torch.nn.Identity())
