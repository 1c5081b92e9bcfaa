"""How modules run: the same pictures to the precision's rounding, on a device that exists, compiled block by block."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D

from latency.pricing.scenario import Dtype
from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.computing.execution import Execution, check_device
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR

ONE_STAGE = {
    "sample_size": 4,
    "block_out_channels": [8],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D"],
    "mid_block_type": None,
    "up_block_types": ["CrossAttnUpBlock2D"],
    "attention_head_dim": 2,
    "cross_attention_dim": 8,
    "norm_num_groups": 4,
}


def scores(unet: UNet2DConditionModel, execution: Execution) -> list[float]:
    """Scores of two captions; evaluators place what they hold, and each loads models of its own."""
    setting = ScoreSetting(
        model=ModelFolder(PIPELINE_DIR),
        validation=ValidationSet.from_captions(["a red circle", "a small blue square"], seed=0, chunk_size=2),
        protocol=SamplingProtocol(num_steps=2, guidance_scale=1),
        latent_shape=(4, 16, 16),
        execution=execution,
    )
    placed = execution.place(copy.deepcopy(unet))
    clip = ClipJudge(setting, model=str(OPEN_CLIP_DIR))
    return list(Evaluator(setting, score=clip, reference=placed).evaluate(placed, chunk=0).scores)


def test_another_memory_format_moves_the_last_bits_only(unet: UNet2DConditionModel) -> None:
    plain, channels_last = scores(unet, Execution()), scores(unet, Execution(channels_last=True))
    assert channels_last == pytest.approx(plain, abs=1e-4)
    placed = Execution(channels_last=True).place(copy.deepcopy(unet))
    assert placed.conv_in.weight.is_contiguous(memory_format=torch.channels_last)


def test_bfloat16_scores_are_near_and_not_the_same(unet: UNet2DConditionModel) -> None:
    plain, rounded = scores(unet, Execution()), scores(unet, Execution(precision=Dtype.BFLOAT16))
    assert rounded == pytest.approx(plain, abs=0.05)
    assert rounded != plain


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
def test_every_block_is_compiled_by_itself_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Dynamo itself, with a back end that only counts; a block that falls back to eager mode is an error.

    Dynamo falls back after eight sets of weights by default, after two here, so that three blocks tell.
    """
    graphs: list[torch.fx.GraphModule] = []

    def counting(graph: torch.fx.GraphModule, example_inputs: object) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda call, **options: compile_(call, backend=counting, **options))
    small = UNet2DConditionModel(**ONE_STAGE).eval()
    blocks = [module for module in small.modules() if isinstance(module, (ResnetBlock2D, BasicTransformerBlock))]
    assert len(blocks) == 3 + 3
    inputs = (torch.ones(1, 4, 4, 4), torch.tensor([3]), torch.ones(1, 5, 8))
    torch._dynamo.reset()
    with torch.inference_mode(), torch._dynamo.config.patch(fail_on_recompile_limit_hit=True, recompile_limit=2):
        Execution().compile(small)
        expected = small(*inputs).sample
        assert graphs == []
        Execution(compile_blocks=True).compile(small)
        for _ in range(2):
            assert torch.allclose(small(*inputs).sample, expected, atol=1e-5)
    assert len(graphs) == len(blocks)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`execution.device` is 'cuda', but torch .* sees no CUDA device here"):
        Execution(device="cuda").check()


@pytest.mark.parametrize(("device", "num_cuda"), [("cpu", 0), ("cuda", 1), ("cuda:0", 1), ("cuda:1", 2)])
def test_a_device_that_a_machine_has_is_taken(device: str, num_cuda: int) -> None:
    check_device(device, name="x", num_cuda=num_cuda)


@pytest.mark.parametrize(
    ("device", "num_cuda", "law"),
    [
        ("cuda", 0, r"but torch \S+ sees no CUDA device here; choose cpu"),
        ("cuda:1", 1, "but there are 1 CUDA devices here, which count from 0"),
        ("cuda:2", 2, "but there are 2 CUDA devices here"),
    ],
)
def test_a_device_that_a_machine_lacks_is_named_with_what_it_has(device: str, num_cuda: int, law: str) -> None:
    with pytest.raises(ValueError, match=rf"^`x` is '{device}', {law}"):
        check_device(device, name="x", num_cuda=num_cuda)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", list(Dtype))
def test_a_gpu_scores_like_the_cpu(unet: UNet2DConditionModel, precision: Dtype) -> None:
    assert scores(unet, Execution(device="cuda", precision=precision)) == pytest.approx(
        scores(unet, Execution()), abs=0.05
    )


@pytest.mark.slow
def test_compiled_blocks_compute_the_same(unet: UNet2DConditionModel) -> None:
    execution, twin = Execution(compile_blocks=True), copy.deepcopy(unet)
    execution.compile(twin)
    assert scores(twin, execution) == pytest.approx(scores(unet, Execution()), abs=1e-4)
