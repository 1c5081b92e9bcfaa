"""Features: what a network sees in pictures, from a local file that is never unpickled; named in every number.

| given | network | features |
|---|---|---|
| an OpenCLIP folder, or NAME@TAG | its picture tower | unit vectors |
| a folder with config.json of a Dinov2Model | DINOv2, safetensors | the class token's, as its authors evaluate |
| a .torchscript, .ts or .pt file | TorchScript, such as a published Inception | what it gives for uint8 (n, 3, h, w) |

A TorchScript file is a program, which runs as such: take it from who you would run a program of.
"""

import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from nas.evaluation.clip.model import ClipModel, check_clip_name, clip_digest
from nas.evaluation.settings import ClipSettings
from search_spaces.files.digests import files_digest, sha256_of
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.user_error import UserError
from search_spaces.folders.checked_loading import check_finite, faults_told, in_a_line
from search_spaces.folders.weight_files import model_files

_SCRIPTS: Final = (".torchscript", ".ts", ".pt")
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as DINOv2 wants its pictures
_DINO_PX: Final = 224


class Extractor(Protocol):
    """A network that is loaded."""

    def __call__(self, pictures: Float[Tensor, "n 3 h_px w_px"], /) -> Float[Tensor, "n dim"]:
        """Features of pictures in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSpec:
    """Which features, as a value that travels.

    Attributes:
        name: As every number names them, such as "clip:open_clip".
        digest: Of all that is read.
        path: The folder or file, or OpenCLIP's name.
        pretrained: OpenCLIP's tag or file of weights.
        is_clip: Whether they are CLIP's unit vectors.
    """

    name: str
    digest: str
    path: str
    pretrained: str | None = None
    is_clip: bool = False

    def load(self, place: Callable[[torch.nn.Module], Any], /) -> Extractor:
        """The network, placed.

        Raises:
            UserError: A damaged file.
        """
        if self.is_clip:
            clip = ClipModel(self.path, pretrained=self.pretrained)
            place(clip.model)
            return clip.embed_pictures
        return _dino(Path(self.path), place) if Path(self.path).is_dir() else _script(Path(self.path), place)


def find_features(given: str | None, /, *, clip: ClipSettings | None) -> FeatureSpec:
    """The features that a setting means; nothing is loaded.

    Args:
        given: See the table above; None = those of `clip`.
        clip: The model of the CLIP score.

    Raises:
        UserError: None of these.
    """
    if given is None:
        assert clip is not None, "the settings ask for one of both"
        return _of_clip(clip.model, clip.pretrained)
    path = Path(given)
    if path.is_file() and path.suffix in _SCRIPTS:
        _check_script(path)
        return FeatureSpec(name=f"script:{path.stem}", digest=sha256_of(path), path=str(path.resolve()))
    if (path / "config.json").is_file() and not (path / "open_clip_config.json").is_file():
        kind = read_json_object(path / "config.json").get("model_type")
        if kind != "dinov2":
            raise UserError(f"`features` must be an OpenCLIP or a dinov2 folder, but {path} holds a model {kind!r}")
        files = [path / "config.json", *model_files(path)]
        return FeatureSpec(
            name=f"dinov2:{path.name}", digest=files_digest(files, folder=path), path=str(path.resolve())
        )
    if path.is_dir():
        return _of_clip(str(path.resolve()), None)
    name, at, tag = given.partition("@")
    if at:
        return _of_clip(name, tag)
    raise UserError(
        "`features` must be an OpenCLIP folder, NAME@TAG such as ViT-L-14@openai, a DINOv2 folder with safetensors, or "
        f"a TorchScript file ({', '.join(_SCRIPTS)}), but got {given!r}"
    )


def check_features(features: npt.NDArray[np.float32], /, *, name: str, num_pictures: int) -> None:
    """Check what a network gave: a distance of rows that are no numbers, or of too few, would be no distance.

    Args:
        features: What it gave.
        name: Of the features.
        num_pictures: That it was given.

    Raises:
        UserError: It is no row of finite numbers for each picture.
    """
    if features.ndim != 2 or len(features) != num_pictures or not features.size:
        raise UserError(
            f"`features` must give a row of numbers for each picture, but {name} gives {list(features.shape)} for "
            f"{num_pictures} pictures; give another network"
        )
    if wrong := int((~np.isfinite(features)).any(axis=1).sum()):
        raise UserError(
            f"`features` must be finite numbers, but those that {name} gives of {wrong} of {num_pictures} pictures are "
            "not; use a wider `execution.precision`, or give another network"
        )


def _of_clip(model: str, pretrained: str | None) -> FeatureSpec:
    check_clip_name(model, pretrained=pretrained)
    name = Path(model).name if pretrained is None else f"{model}@{Path(pretrained).stem}"
    return FeatureSpec(
        name=f"clip:{name}",
        digest=clip_digest(model, pretrained=pretrained),
        path=model,
        pretrained=pretrained,
        is_clip=True,
    )


def _check_script(path: Path) -> None:
    """Check that a file is TorchScript, which is read by TorchScript's own reader; Python's pickles are refused."""
    names = set[str]()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    if "constants.pkl" not in names:
        raise UserError(
            f"{path} must be a TorchScript file, but is none; weights that were pickled are never opened: save the "
            "network by `torch.jit.save`, or give a folder with safetensors"
        )


def _script(path: Path, place: Callable[[torch.nn.Module], Any]) -> Extractor:
    with faults_told(path, what="a TorchScript network"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)  # the form in which Inception is published
        network = torch.jit.load(path, map_location="cpu").eval()
    place(network)
    with_features = "return_features" in str(getattr(network.forward, "schema", ""))  # as the published Inception has

    @torch.inference_mode()
    def extract(pictures: Tensor, /) -> Tensor:
        given = (pictures * 255).round().clamp(0, 255).to(torch.uint8)
        try:
            found = network(given, return_features=True) if with_features else network(given)
        except torch.jit.Error as error:
            raise UserError(
                f"`features` must be a network of uint8 pictures (n, 3, h, w), but {path} fails on "
                f"{list(given.shape)} ({in_a_line(error)}); give another network"
            ) from error
        if not isinstance(found, Tensor) or found.ndim < 2:
            what = f"a tensor {list(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise UserError(f"`features` must give a row of numbers for each picture, but {path} gives {what}")
        return found.flatten(1).float()

    return extract


def _dino(folder: Path, place: Callable[[torch.nn.Module], Any]) -> Extractor:
    from transformers import Dinov2Model

    with faults_told(folder):
        network = Dinov2Model.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    check_finite(network, folder)
    place(network.eval().requires_grad_(False))

    @torch.inference_mode()
    def extract(pictures: Tensor, /) -> Tensor:
        mean, std = pictures.new_tensor([_MEAN, _STD]).view(2, 1, 3, 1, 1)
        shaped = F.interpolate(pictures, size=(_DINO_PX, _DINO_PX), mode="bicubic", antialias=True).clamp(0, 1)
        found: Tensor = network((shaped - mean) / std).pooler_output
        return found.float()

    return extract
