"""Batches: a function of the seed and the step alone, with empty captions as often as asked."""

from itertools import islice

import pytest
import torch

from nas.pipelines.conditioning import Conditioning
from nas.training.latent_set import LatentSet


@pytest.fixture
def latent_set() -> LatentSet:
    return LatentSet(
        latents=torch.arange(6.0).view(6, 1, 1, 1),
        caption_ids=torch.tensor([1, 2, 3, 1, 2, 3]),
        captions=Conditioning(embeddings=torch.arange(4.0).view(4, 1, 1)),
    )


def test_a_resumed_training_continues_with_the_batch_where_it_stopped(latent_set: LatentSet) -> None:
    whole = list(islice(latent_set.batches(seed=5, size=3, caption_dropout=0.2), 4))
    rest = list(islice(latent_set.batches(seed=5, size=3, caption_dropout=0.2, start=2), 2))
    for (latents, text, generator), (again, text_again, generator_again) in zip(whole[2:], rest, strict=True):
        assert torch.equal(latents, again)
        assert torch.equal(text.embeddings, text_again.embeddings)
        assert torch.equal(torch.rand(2, generator=generator), torch.rand(2, generator=generator_again))


def test_seeds_and_steps_give_batches_of_their_own(latent_set: LatentSet) -> None:
    one = [batch[0] for batch in islice(latent_set.batches(seed=0, size=6, caption_dropout=0), 2)]
    other = next(latent_set.batches(seed=1, size=6, caption_dropout=0))[0]
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], other)


def test_pictures_keep_their_captions(latent_set: LatentSet) -> None:
    latents, text, _ = next(latent_set.batches(seed=0, size=50, caption_dropout=0))
    assert torch.equal(text.embeddings.flatten(), latents.flatten() % 3 + 1)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_captions_are_emptied_as_often_as_asked(latent_set: LatentSet, share: float) -> None:
    _, text, _ = next(latent_set.batches(seed=0, size=2000, caption_dropout=share))
    assert (text.embeddings == 0).float().mean().item() == pytest.approx(share, abs=0.04)
