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
    for one, again in zip(whole[2:], rest, strict=True):
        assert torch.equal(one.latents, again.latents)
        assert torch.equal(one.text.embeddings, again.text.embeddings)
        assert torch.equal(torch.rand(2, generator=one.generator), torch.rand(2, generator=again.generator))


def test_ranks_share_the_batch_of_one_process(latent_set: LatentSet) -> None:
    whole = next(latent_set.batches(seed=5, size=6, caption_dropout=0.5))
    parts = [next(latent_set.batches(seed=5, size=2, caption_dropout=0.5, rank=r, world=3)) for r in range(3)]
    assert torch.equal(torch.cat([part.latents for part in parts]), whole.latents)
    assert torch.equal(torch.cat([part.text.embeddings for part in parts]), whole.text.embeddings)
    after = torch.rand(2, generator=whole.generator)
    assert all(torch.equal(torch.rand(2, generator=part.generator), after) for part in parts)


def test_seeds_and_steps_give_batches_of_their_own(latent_set: LatentSet) -> None:
    one = [batch.latents for batch in islice(latent_set.batches(seed=0, size=6, caption_dropout=0), 2)]
    other = next(latent_set.batches(seed=1, size=6, caption_dropout=0)).latents
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], other)


def test_pictures_keep_their_captions(latent_set: LatentSet) -> None:
    batch = next(latent_set.batches(seed=0, size=50, caption_dropout=0))
    assert torch.equal(batch.text.embeddings.flatten(), batch.latents.flatten() % 3 + 1)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_captions_are_emptied_as_often_as_asked(latent_set: LatentSet, share: float) -> None:
    text = next(latent_set.batches(seed=0, size=2000, caption_dropout=share)).text
    assert (text.embeddings == 0).float().mean().item() == pytest.approx(share, abs=0.04)
