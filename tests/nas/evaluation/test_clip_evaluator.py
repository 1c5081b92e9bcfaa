"""The evaluator on the bundled model: scores are a function of UNet, chunk and threads, and of nothing else."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.evaluation.clip_evaluator import ClipEvaluator
from nas.evaluation.clip_model import ClipModel
from nas.pipelines.folder import PipelineParts
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet

CAPTIONS = ["a red circle", "a small blue square", "a green ring", "a yellow cross on a black background", "a ring"]


@pytest.fixture
def evaluator(parts: PipelineParts, clip: ClipModel) -> ClipEvaluator:
    return ClipEvaluator(
        parts=parts,
        clip=clip,
        validation=ValidationSet.from_captions(CAPTIONS, seed=0, chunk_size=2),
        protocol=SamplingProtocol(num_steps=2, guidance_scale=2),
        latent_shape=(4, 12, 12),
    )


def test_scores_are_the_same_bits_again(evaluator: ClipEvaluator, unet: UNet2DConditionModel) -> None:
    assert evaluator.evaluate(unet, chunk=0) == evaluator.evaluate(unet, chunk=0)


def test_a_chunk_does_not_know_which_chunks_came_before(evaluator: ClipEvaluator, unet: UNet2DConditionModel) -> None:
    forward = {chunk: evaluator.evaluate(unet, chunk=chunk) for chunk in (0, 1, 2)}
    backward = {chunk: evaluator.evaluate(unet, chunk=chunk) for chunk in (2, 1, 0)}
    assert forward == backward
    assert [len(forward[chunk]) for chunk in (0, 1, 2)] == [2, 2, 1]


BATCH_TOLERANCE = 1e-4  # what docs/running_searches.md promises; seen: 3e-7


def test_the_batch_moves_the_last_bits_only(parts: PipelineParts, clip: ClipModel, unet: UNet2DConditionModel) -> None:
    def scores(chunk_size: int) -> dict[str, float]:
        validation = ValidationSet.from_captions(CAPTIONS, seed=0, chunk_size=chunk_size)
        evaluator = ClipEvaluator(
            parts=parts,
            clip=clip,
            validation=validation,
            protocol=SamplingProtocol(num_steps=4, guidance_scale=2),
            latent_shape=(4, 12, 12),
        )
        found = (score for chunk in range(validation.num_chunks) for score in evaluator.evaluate(unet, chunk=chunk))
        return dict(zip((prompt.prompt_id for prompt in validation.prompts), found, strict=True))

    alone, together = scores(1), scores(5)
    assert alone == pytest.approx(together, abs=BATCH_TOLERANCE)
    assert alone.keys() == together.keys()


def test_global_randomness_has_no_part_in_it(evaluator: ClipEvaluator, unet: UNet2DConditionModel) -> None:
    before = evaluator.evaluate(unet, chunk=0)
    torch.manual_seed(99)
    torch.randn(7)
    assert evaluator.evaluate(unet, chunk=0) == before


def test_pictures_are_scored_with_their_own_captions(evaluator: ClipEvaluator, clip: ClipModel) -> None:
    pictures = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    captions = [prompt.caption for prompt in evaluator.validation.chunk(1)]
    expected = (clip.embed_pictures(pictures) * clip.embed_captions(captions)).sum(1)
    assert evaluator.score(pictures, chunk=1) == pytest.approx(expected.tolist(), abs=1e-6)


def test_pictures_are_colours(evaluator: ClipEvaluator, unet: UNet2DConditionModel) -> None:
    pictures = evaluator.pictures(unet, chunk=2)
    assert pictures.shape == (1, 3, 48, 48)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
