"""Pipeline folders: complete or refused with all that is missing; digests of all that they hold."""

import shutil
from pathlib import Path

import pytest
import torch

from nas.pipelines.folder import PipelineParts
from nas.pipelines.index import check_pipeline_folder
from nas.pipelines.model_folder import ModelFolder
from search_spaces.files.digests import folder_digest
from search_spaces.shapes import PIPELINE_DIR

SIZE_PX = (64, 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PIPELINE_DIR, tmp_path / "pipeline"))


def test_the_bundled_folder_is_complete() -> None:
    check_pipeline_folder(PIPELINE_DIR)


def test_everything_that_is_missing_is_named_at_once(folder: Path) -> None:
    shutil.rmtree(folder / "vae")
    (folder / "tokenizer" / "tokenizer_config.json").unlink()
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")
    law = r"has no vae/config\.json, tokenizer/tokenizer_config\.json, vae/\*\.safetensors, unet/\*\.safetensors"
    with pytest.raises(ValueError, match=law):
        check_pipeline_folder(folder)
    with pytest.raises(ValueError, match=law):
        ModelFolder(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no model folder .*nowhere; give the folder of a diffusers Stable"):
        check_pipeline_folder(tmp_path / "nowhere")


def test_embeddings_do_not_depend_on_the_batch(parts: PipelineParts) -> None:
    captions = [f"a red ring {number}" for number in range(5)]
    together, apart = (parts.embed(captions, size_px=SIZE_PX, batch_size=size).embeddings for size in (64, 2))
    assert torch.allclose(together, apart, atol=1e-5)
    assert parts.embed([""], size_px=SIZE_PX).embeddings.shape == (1, parts.text_encoders.context_tokens, 128)


def test_a_digest_sees_every_file_its_name_and_its_content(folder: Path) -> None:
    before = folder_digest(folder)
    assert folder_digest(PIPELINE_DIR) == before
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(path.read_text() + "\n")
    changed = folder_digest(folder)
    path.rename(path.with_name("other.json"))
    assert len({before, changed, folder_digest(folder)}) == 3
