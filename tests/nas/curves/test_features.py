"""Features from local files: OpenCLIP, DINOv2, TorchScript; what was pickled is never opened."""

import pickle
from pathlib import Path

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from nas.curves.features import check_features, find_features
from nas.evaluation.clip.model import ClipModel
from search_spaces.files.user_error import UserError
from tests.nas.curves.conftest import CLIP

PICTURES = torch.rand(3, 3, 40, 40, generator=torch.Generator().manual_seed(0))


class Inception(torch.nn.Module):
    """As the published TorchScript file is called."""

    def forward(self, img: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        means = img.float().mean((2, 3))
        return means if return_features else means.sum(1)


def test_an_open_clip_tower(tmp_path: Path) -> None:
    spec = find_features(str(CLIP), clip=None)
    assert (spec.name, spec.is_clip) == ("clip:open_clip", True)
    found = spec.load(lambda module: module)(PICTURES)
    assert torch.equal(found, ClipModel(str(CLIP)).embed_pictures(PICTURES))


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_a_torchscript_file_is_given_bytes_and_gives_its_features(tmp_path: Path) -> None:
    path = tmp_path / "inception.pt"
    torch.jit.script(Inception()).save(str(path))
    spec = find_features(str(path), clip=None)
    assert (spec.name, spec.is_clip) == ("script:inception", False)
    torch.testing.assert_close(
        spec.load(lambda module: module)(PICTURES), (PICTURES * 255).round().mean((2, 3)), atol=1e-3, rtol=1e-6
    )


def test_dinov2_of_a_folder_with_safetensors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    Dinov2Model(config).save_pretrained(tmp_path)
    spec = find_features(str(tmp_path), clip=None)
    found = spec.load(lambda module: module)(PICTURES)
    assert spec.name.startswith("dinov2:")
    assert found.shape == (3, 16)
    assert not torch.equal(found[0], found[1])


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    weights, bare = tmp_path / "weights.pt", tmp_path / "bare.pt"
    torch.save({"weight": torch.zeros(1)}, weights)
    bare.write_bytes(pickle.dumps({}))
    for path in (weights, bare):
        with pytest.raises(UserError, match="must be a TorchScript file, but is none; weights that were pickled are"):
            find_features(str(path), clip=None)


def test_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match=r"an OpenCLIP or a dinov2 folder, but .* holds a model 'bert'"):
        find_features(str(tmp_path), clip=None)
    with pytest.raises(UserError, match="`features` must be an OpenCLIP folder, NAME@TAG"):
        find_features("inception", clip=None)


class Broken(torch.nn.Module):
    """Gives no row of finite numbers for each picture."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def forward(self, img: torch.Tensor) -> torch.Tensor:
        assert self.way != "raises", "no such pictures"
        rows = img.float().mean((2, 3))
        if self.way == "few":
            return rows[:1]
        return rows[:, 0] if self.way == "flat" else rows * float("nan")


class Pair(torch.nn.Module):
    def forward(self, img: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return img, img


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
@pytest.mark.parametrize(
    ("network", "law"),
    [
        (Broken("nan"), "must be finite numbers, but those that script:broken gives of 3 of 3 pictures are not"),
        (Broken("few"), r"a row of numbers for each picture, but script:broken gives \[1, 3\] for 3 pictures"),
        (Broken("flat"), r"a row of numbers for each picture, but .*broken\.pt gives a tensor \[3\]"),
        (
            Broken("raises"),
            r"but .*broken\.pt fails on \[3, 3, 40, 40\] \(Error: RuntimeError: AssertionError: no such",
        ),
        (Pair(), r"broken\.pt gives a tuple"),
    ],
)
def test_a_network_that_gives_no_features_is_named(network: torch.nn.Module, law: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.pt"
    torch.jit.script(network).save(str(path))
    spec = find_features(str(path), clip=None)
    extract = spec.load(lambda module: module)
    with pytest.raises(UserError, match=law):
        check_features(extract(PICTURES).numpy(), name=spec.name, num_pictures=len(PICTURES))
