"""How modules run: the same pictures to the precision's rounding, on a device that exists, compiled block by block."""

import copy

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D

from latency.pricing.scenario import Dtype
from nas.evaluation.clip_judge import ClipJudge
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.execution import Execution
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR


def scores(unet: UNet2DConditionModel, execution: Execution) -> list[float]:
    """Scores of two captions; evaluators place what they hold, and each loads models of its own."""
    setting = ScoreSetting(
        model=PIPELINE_DIR,
        validation=ValidationSet.from_captions(["a red circle", "a small blue square"], seed=0, chunk_size=2),
        protocol=SamplingProtocol(num_steps=2, guidance_scale=1),
        latent_shape=(4, 12, 12),
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


def test_blocks_are_compiled_one_by_one(unet: UNet2DConditionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **kwargs: compiled.append(module))
    Execution().compile(unet)
    assert compiled == []
    Execution(compile_blocks=True).compile(unet)
    assert {type(module) for module in compiled} == {ResnetBlock2D, BasicTransformerBlock}
    assert len(compiled) == 22 + 16


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`execution.device` is 'cuda', but torch .* sees no CUDA device here"):
        Execution(device="cuda").check()


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
