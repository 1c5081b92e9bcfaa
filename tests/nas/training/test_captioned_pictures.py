"""Folders of captioned pictures: read, refused with every problem at once, encoded."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.pipelines.folder import PipelineParts
from nas.training.captioned_pictures import encode_pictures, read_metadata
from tests.nas.synthetic import write_pictures


def test_pictures_come_in_the_order_of_the_metadata(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", num=3)
    pictures = read_metadata(tmp_path / "pictures")
    assert [picture.path.name for picture in pictures] == ["0.png", "1.png", "2.png"]
    assert all(picture.caption.startswith("a") for picture in pictures)


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    lines = [
        "not json",
        json.dumps({"file_name": "0.png"}),
        json.dumps({"file_name": "1.png", "text": "a ring"}),
        "[]",
        "",
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=r"metadata\.jsonl has 4 problems: ") as refusal:
        read_metadata(tmp_path)
    message = str(refusal.value)
    assert "line 1 must hold `file_name` and `text` (JsonError" in message
    assert "line 2 must hold `file_name` and `text` (KeyError: 'text')" in message
    assert "line 3 names 1.png, which is not in the folder" in message
    assert "line 4 must hold `file_name` and `text` (TypeError" in message


def test_a_folder_without_metadata_is_told_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no .*metadata\.jsonl; write one line"):
        read_metadata(tmp_path)


def test_metadata_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match="names no picture"):
        read_metadata(tmp_path)


def test_latents_bring_the_pictures_back(tmp_path: Path, parts: PipelineParts) -> None:
    write_pictures(tmp_path / "pictures", num=6)
    pictures = read_metadata(tmp_path / "pictures")
    encoded = encode_pictures(pictures, parts=parts, size_px=(48, 48))
    assert encoded.latents.shape == (6, 4, 12, 12)
    shown = np.stack([np.asarray(Image.open(picture.path)) for picture in pictures])
    original = torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 255
    assert (parts.decode(encoded.latents) - original).abs().mean() < 0.05
    captions = ["", *dict.fromkeys(picture.caption for picture in pictures)]
    assert torch.allclose(encoded.captions.embeddings, parts.embed(captions, size_px=(48, 48)).embeddings)
    assert [captions[index] for index in encoded.caption_ids] == [picture.caption for picture in pictures]


def test_pictures_of_another_size_are_resized(tmp_path: Path, parts: PipelineParts) -> None:
    Image.new("L", (100, 60), 128).save(tmp_path / "gray.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "gray.png", "text": "gray"}\n', encoding="utf-8")
    encoded = encode_pictures(read_metadata(tmp_path), parts=parts, size_px=(48, 48))
    assert encoded.latents.shape == (1, 4, 12, 12)
