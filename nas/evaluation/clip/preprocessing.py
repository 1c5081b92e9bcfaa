"""How an OpenCLIP model wants its pictures: OpenCLIP's own preprocessing, for tensors."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jaxtyping import Float
from open_clip.transform import (
    CenterCropOrPad,
    MaybeConvertMode,
    MaybeToTensor,
    PreprocessCfg,
    ResizeKeepRatio,
    image_transform_v2,
)
from torch import Tensor
from torchvision.transforms import Compose
from torchvision.transforms import functional as F

from nas.evaluation.clip.folder import CONFIG
from nas.evaluation.clip.weights import clip_weights
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.user_error import UserError


def preprocessing(config: PreprocessCfg, /) -> Callable[[Float[Tensor, "n 3 h_px w_px"]], Float[Tensor, "n 3 h w"]]:
    """Pictures in [0, 1] to what a model reads: resized, cropped or padded, and normalised."""
    *shaping, normalised = image_transform_v2(config, is_train=False).transforms
    shaped = Compose([_of_tensors(step) for step in shaping])
    return lambda pictures: normalised(shaped(pictures).clamp(0, 1))  # bicubic interpolation leaves the range


def preprocess_of(name: str, /, *, pretrained: str | None = None) -> PreprocessCfg:
    """How an OpenCLIP model wants its pictures, without loading it.

    Args:
        name: As that of `ClipModel`.
        pretrained: As there.

    Raises:
        UserError: It is said in a way that OpenCLIP does not take.
    """
    if pretrained is None:
        path = Path(name) / CONFIG
        said = read_json_object(path).get("preprocess_cfg", {})
    else:
        path, said = Path(name), clip_weights(name, pretrained=pretrained).preprocess
    try:
        made = PreprocessCfg(**{each.name: said[each.name] for each in fields(PreprocessCfg) if each.name in said})
        image_transform_v2(made, is_train=False)
    except (TypeError, ValueError, AssertionError) as error:
        raise UserError(f"`preprocess_cfg` in {path} must be OpenCLIP's, but is not ({error})") from error
    return made


def _of_tensors(step: Any) -> Any:
    """A step of OpenCLIP's preprocessing, which is made for Pillow's pictures, for tensors in [0, 1]."""
    match step:
        case MaybeConvertMode() | MaybeToTensor():
            return lambda pictures: pictures
        case ResizeKeepRatio():

            def resize(pictures: Tensor) -> Tensor:
                as_pillow = SimpleNamespace(size=tuple(pictures.shape[:-3:-1]))
                size = step.get_params(as_pillow, step.size, step.longest)
                resized: Tensor = F.resize(pictures, size, step.interpolation)
                return resized

            return resize
        case CenterCropOrPad():
            return CenterCropOrPad(step.size, fill=step.fill / 255)
        case _:
            return step
