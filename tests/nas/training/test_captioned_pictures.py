"""Captioned pictures encoded: latents that bring them back, captions that stay theirs, crops that the UNet is told."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.pipelines.conditioning import Conditioning
from nas.pipelines.folder import PipelineParts
from nas.training.captioned_pictures import encode_pictures
from nas.training.data.readers.metadata import read_folder
from nas.training.latent_set import LatentSet
from search_spaces.files.user_error import UserError
from tests.nas.synthetic import write_pictures


def test_latents_bring_the_pictures_back(tmp_path: Path, parts: PipelineParts) -> None:
    write_pictures(tmp_path / "pictures", num=6)
    pictures = read_folder(tmp_path / "pictures")
    encoded = encode_pictures(pictures, parts=parts, size_px=(64, 64))
    assert encoded.latents.shape == (6, 4, 16, 16)
    shown = np.stack([np.asarray(Image.open(tmp_path / "pictures" / f"{index}.png")) for index in range(6)])
    original = torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 255
    assert torch.equal(encoded.latents, parts.encode(original)), "what has the right shape is read as it is"
    assert (parts.decode(encoded.latents) - original).abs().mean() < 0.05
    shown_by = [texts[0] for texts in pictures.captions.to_pylist()]
    captions = ["", *dict.fromkeys(shown_by)]
    assert torch.allclose(encoded.captions.embeddings, parts.embed(captions, size_px=(64, 64)).embeddings)
    assert [captions[index] for index in encoded.caption_ids] == shown_by


def test_pictures_of_another_shape_keep_their_proportions(tmp_path: Path, parts: PipelineParts) -> None:
    """Three stripes, of which the middle one is as high as the picture is wide."""
    picture = Image.new("RGB", (64, 192), "red")
    picture.paste("lime", (0, 64, 64, 128))
    picture.save(tmp_path / "stripes.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "stripes.png", "text": "stripes"}\n', encoding="utf-8")
    encoded = encode_pictures(read_folder(tmp_path), parts=parts, size_px=(64, 64))
    green = torch.tensor([0.0, 1, 0]).repeat(1, 64, 64, 1).permute(0, 3, 1, 2)
    assert torch.equal(encoded.latents, parts.encode(green))
    assert encoded.crops is not None
    assert encoded.crops.tolist() == [[64, 0]], "from above, from the left"


def test_a_unet_that_is_told_sizes_is_told_the_crop_whatever_the_caption() -> None:
    sizes = torch.tensor([[64.0, 64, 0, 0, 64, 64]])
    data = LatentSet(
        latents=torch.arange(2.0).view(2, 1, 1, 1),
        caption_ids=torch.tensor([1, 1]),
        captions=Conditioning(embeddings=torch.zeros(2, 1, 1), pooled=torch.zeros(2, 1), time_ids=sizes.repeat(2, 1)),
        crops=torch.tensor([[0, 8], [16, 0]]),
    )
    for dropout in (0.0, 1.0):
        batch = next(data.batches(seed=0, size=8, caption_dropout=dropout))
        latents, text = batch.latents, batch.text
        told = {0.0: [64, 64, 0, 8, 64, 64], 1.0: [64, 64, 16, 0, 64, 64]}
        assert text.time_ids is not None
        assert text.time_ids.tolist() == [told[float(latent)] for latent in latents.flatten()]
        assert {float(latent) for latent in latents.flatten()} == {0.0, 1.0}


def test_captions_with_half_of_a_letter_are_refused(parts: PipelineParts) -> None:
    with pytest.raises(UserError, match=r"a caption must be text, but 'caf\\udce9' holds half of a UTF-16 pair"):
        parts.embed(["a ring", "caf\udce9"], size_px=(64, 64))
