"""The judge: its view of a picture is OpenCLIP's own, its score is torchmetrics', and it tells near misses apart."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchmetrics.multimodal import CLIPScore

from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.clip.model import ClipModel, check_clip_name, clip_digest
from nas.evaluation.clip.preprocessing import preprocess_of
from nas.evaluation.clip.tokenizer import ClipTokenizer
from nas.evaluation.clip.weights import clip_weights
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet
from search_spaces.files.user_error import UserError
from search_spaces.folders.weight_files import ModelFolderError
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR, caption_of, sample_scene
from search_spaces.shapes.renderer import render
from search_spaces.shapes.scenes import near_miss

Pictures = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def open_clip_parts() -> tuple[Any, Any, Any]:
    """OpenCLIP's own model, preprocessing of PIL pictures, and tokenizer."""
    source = f"local-dir:{OPEN_CLIP_DIR}"
    model, _, preprocess = open_clip.create_model_and_transforms(source, require_pretrained=True)
    return model.eval().requires_grad_(False), preprocess, open_clip.get_tokenizer(source)


def renderings(num: int, *, size_px: int = 64, seed: int = 0) -> tuple[Pictures, list[str], list[str]]:
    """Pictures (n, h, w, 3), their captions, and captions that are wrong in one thing."""
    rng = np.random.default_rng(seed)
    scenes = [sample_scene(rng) for _ in range(num)]
    pictures = np.stack([render(scene, rng=rng, size_px=size_px) for scene in scenes])
    return pictures, [caption_of(s) for s in scenes], [caption_of(near_miss(s, rng)) for s in scenes]


def as_tensor(pictures: Pictures) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize(
    ("size_px", "tolerance"),
    [(64, 1e-5), (128, 2e-2)],  # PIL rounds a resized picture to 8 bits, we do not
    ids=["as it is", "resized"],
)
def test_pictures_are_seen_as_open_clip_sees_them(
    clip: ClipModel, open_clip_parts: tuple[Any, Any, Any], size_px: int, tolerance: float
) -> None:
    model, preprocess, _ = open_clip_parts
    pictures, _, _ = renderings(8, size_px=size_px)
    prepared = torch.stack([preprocess(Image.fromarray(picture)) for picture in pictures])
    theirs = model.encode_image(prepared, normalize=True)
    ours = clip.embed_pictures(as_tensor(pictures))
    assert (1 - (ours * theirs).sum(1)).max() < tolerance
    assert torch.allclose(ours.norm(dim=1), torch.ones(8))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize_mode", ["squash", "shortest", "longest"])
@pytest.mark.parametrize("size_px", [(64, 64), (96, 80), (30, 100)])
def test_every_setting_of_preprocessing_means_what_it_means_to_open_clip(
    resize_mode: str, interpolation: str, size_px: tuple[int, int], tmp_path: Path
) -> None:
    said = {
        "size": [64, 64],
        "mean": [0.1, 0.2, 0.3],
        "std": [0.9, 0.8, 0.7],
        "interpolation": interpolation,
        "resize_mode": resize_mode,
        "fill_color": 100,
    }
    folder = clip_folder(tmp_path, **said)
    clip, seen = ClipModel(str(folder)), list[torch.Tensor]()
    clip.model.visual.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    smooth = np.linspace(0, 255, size_px[0] * size_px[1] * 3).reshape(*size_px, 3).astype(np.uint8)
    clip.embed_pictures(as_tensor(np.stack([smooth, smooth[::-1]])))
    preprocess = open_clip.transform.image_transform_v2(open_clip.transform.PreprocessCfg(**said), is_train=False)
    theirs = torch.stack([preprocess(Image.fromarray(each)) for each in (smooth, np.ascontiguousarray(smooth[::-1]))])
    assert seen[0].shape == theirs.shape == (2, 3, 64, 64)
    assert (seen[0] - theirs).abs().max() < 1.5 / 255 / 0.7  # PIL rounds a resized picture to 8 bits


def clip_folder(tmp_path: Path, **preprocess: Any) -> Path:
    """The bundled judge with other settings of preprocessing."""
    folder = Path(shutil.copytree(OPEN_CLIP_DIR, tmp_path / "clip"))
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["preprocess_cfg"] |= preprocess
    path.write_text(json.dumps(config))
    return folder


def test_a_judge_that_saw_squashed_pictures_has_another_digest(tmp_path: Path) -> None:
    def digest(folder: Path, *, height: int = 12) -> str:
        setting = ScoreSetting(
            model=ModelFolder(PIPELINE_DIR),
            validation=ValidationSet.from_captions(["a"], seed=0, chunk_size=1),
            protocol=SamplingProtocol(),
            latent_shape=(4, height, 12),
        )
        return ClipJudge(setting, model=str(folder)).digest

    assert digest(OPEN_CLIP_DIR) == digest(OPEN_CLIP_DIR, height=16)
    other = clip_folder(tmp_path, resize_mode="shortest")
    assert digest(other) == clip_digest(str(other), pretrained=None)
    assert digest(other, height=16) == f"{digest(other)}+shortest+bicubic"


@pytest.mark.parametrize("cfg", [{"interpolation": 5}, {"mode": "CMYK"}, {"resize_mode": "evil"}])
def test_preprocessing_that_open_clip_does_not_know_is_refused(tmp_path: Path, cfg: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"`preprocess_cfg` in .*open_clip_config\.json must be OpenCLIP's"):
        preprocess_of(str(clip_folder(tmp_path, **cfg)))


@pytest.mark.parametrize("source", [(str(OPEN_CLIP_DIR), None), ("ViT-B-32", "openai")])
def test_captions_beyond_the_limit_are_found(source: tuple[str, str | None]) -> None:
    tokenizer = ClipTokenizer(source[0], pretrained=source[1])
    room = tokenizer.context_tokens - 2
    captions = ["a ring", " ".join(["ring"] * room), " ".join(["ring"] * (room + 1)), "", " ".join(["red"] * 999)]
    assert tokenizer.too_long(captions) == [2, 4]


def test_captions_are_read_as_open_clip_reads_them(clip: ClipModel, open_clip_parts: tuple[Any, Any, Any]) -> None:
    model, _, tokenizer = open_clip_parts
    _, captions, _ = renderings(70)
    theirs = model.encode_text(tokenizer(captions), normalize=True)
    assert torch.allclose(clip.embed_captions(captions), theirs, atol=1e-5)


def test_the_score_is_torchmetrics(clip: ClipModel, open_clip_parts: tuple[Any, Any, Any]) -> None:
    """torchmetrics takes any model that speaks as transformers' CLIP does; this is OpenCLIP in that suit."""
    model, preprocess, tokenizer = open_clip_parts

    class Suit(torch.nn.Module):
        config = SimpleNamespace()

        def get_image_features(self, pixels: torch.Tensor) -> torch.Tensor:
            return model.encode_image(pixels)

        def get_text_features(self, tokens: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return model.encode_text(tokens)

    def processor(
        text: Sequence[str] = (), images: Sequence[torch.Tensor] = (), **options: Any
    ) -> dict[str, torch.Tensor]:
        if text:
            tokens = tokenizer(list(text))
            return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        return {"pixel_values": torch.stack([preprocess(as_picture(image)) for image in images])}

    pictures, captions, _ = renderings(16)
    metric = CLIPScore(model_name_or_path=lambda: (Suit(), processor))
    metric.update(list(torch.from_numpy(pictures).permute(0, 3, 1, 2)), captions)
    ours = (clip.embed_pictures(as_tensor(pictures)) * clip.embed_captions(captions)).sum(1).mean()
    assert metric.compute() / 100 == pytest.approx(ours.item(), abs=1e-5)


def as_picture(image: torch.Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def test_a_rendering_scores_higher_with_its_caption_than_with_a_near_miss(clip: ClipModel) -> None:
    pictures, right, wrong = renderings(64, seed=7)
    features = clip.embed_pictures(as_tensor(pictures))
    score_right = (features * clip.embed_captions(right)).sum(1)
    score_wrong = (features * clip.embed_captions(wrong)).sum(1)
    assert (score_right > score_wrong).float().mean() > 0.9


def test_a_folder_without_safetensors_weights_is_refused(tmp_path: Path) -> None:
    shutil.copy(OPEN_CLIP_DIR / "open_clip_config.json", tmp_path)
    with pytest.raises(
        ValueError, match=r"has no open_clip_model\.safetensors; weights are loaded as safetensors only"
    ):
        ClipModel(str(tmp_path))


def test_a_name_needs_a_tag() -> None:
    with pytest.raises(ValueError, match=r"`clip` must be a folder with .* or a model name .* but got 'ViT-B-32'"):
        ClipModel("ViT-B-32")


@pytest.mark.parametrize(
    ("name", "pretrained", "law"),
    [
        ("ViT-B-23", "openai", r"one of OpenCLIP's \d+ models .*, but got 'ViT-B-23'; did you mean ViT-B-32"),
        ("ViT-B-32-quickgelu", "openia", r"ViT-B-32-quickgelu's tags .*, but got 'openia'; did you mean openai\?"),
        ("ViT-B-32", "openai", r"the activation that the weights of 'openai' .*; give .* ViT-B-32-quickgelu"),
        ("hf-hub:somebody/else", "x", r"one of OpenCLIP's \d+ models"),
        ("roberta-ViT-B-32", "laion2b_s12b_b32k", r"takes its .* from the hub \(`hf_model_name`\)"),
        ("ViT-B-16-SigLIP", "webli", r"takes its .* from the hub \(`hf_tokenizer_name`\)"),
        ("ViT-B-32", "weights.bin", r"a tag or an existing \.safetensors file, but got 'weights\.bin'; pickles"),
        ("ViT-B-32", "./absent.safetensors", r"a tag or an existing \.safetensors file, but got"),
    ],
)  # fmt: skip
def test_a_slip_in_name_or_tag_is_named_before_anything_is_loaded(name: str, pretrained: str, law: str) -> None:
    with pytest.raises(UserError, match=law):
        check_clip_name(name, pretrained=pretrained)


def test_a_tag_means_safetensors_of_the_hub() -> None:
    found = clip_weights("ViT-B-32", pretrained="laion2b_s34b_b79k")
    assert found.repository == ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "open_clip_model.safetensors")
    assert found.preprocess.keys() >= {"mean", "std"}


def test_a_file_of_weights_is_loaded_into_a_model_that_open_clip_knows(
    clip: ClipModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundled model's shape under a name of OpenCLIP's, which then reads captions by its own tokenizer."""
    config = json.loads((OPEN_CLIP_DIR / "open_clip_config.json").read_text())["model_cfg"]
    config["text_cfg"] = {key: value for key, value in config["text_cfg"].items() if "tokenizer" not in key}
    config["text_cfg"]["vocab_size"] = 49408
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Bundled", config)
    weights = load_file(OPEN_CLIP_DIR / "open_clip_model.safetensors")
    weights["token_embedding.weight"] = torch.zeros(49408, 128)
    path = tmp_path / "clip.safetensors"
    save_file(weights, path)
    model = ClipModel("Bundled", pretrained=str(path))
    assert model.embed_captions(["a red ring"]).shape == (1, 128)
    assert torch.equal(model.model.visual.proj, clip.model.visual.proj)
    before = clip_digest("Bundled", pretrained=str(path))
    weights["token_embedding.weight"] = torch.ones(49408, 128)
    save_file(weights, path)
    assert clip_digest("Bundled", pretrained=str(path)) != before
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ModelFolderError, match=r"clip\.safetensors must be a whole safetensors file"):
        ClipModel("Bundled", pretrained=str(path))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(value: float, tmp_path: Path) -> None:
    folder = shutil.copytree(OPEN_CLIP_DIR, tmp_path / "clip")
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["text_projection"][3, 5] = value
    save_file(weights, folder / "open_clip_model.safetensors")
    with pytest.raises(ModelFolderError, match=r"be finite numbers, but 1 tensor \(text_projection\) holds N"):
        ClipModel(str(folder))
