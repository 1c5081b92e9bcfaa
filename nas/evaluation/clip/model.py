"""OpenCLIP as a judge: pictures and captions to unit vectors, whose cosine is the CLIP score."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import open_clip
import torch
from jaxtyping import Float
from open_clip.transform import PreprocessCfg
from torch import Tensor

from nas.evaluation.clip.folder import CONFIG, WEIGHTS, check_clip_folder, check_clip_size, clip_folder_digest
from nas.evaluation.clip.preprocessing import preprocessing
from nas.evaluation.clip.tokenizer import ClipTokenizer
from nas.evaluation.clip.weights import clip_weights
from search_spaces.files.digests import digest_of, folder_digest, sha256_of
from search_spaces.files.user_error import UserError
from search_spaces.folders.checked_loading import check_finite, faults_told

if TYPE_CHECKING:
    from nas.evaluation.setting import ScoreSetting


class ClipModel:
    """An OpenCLIP model and its tokenizer; both run where `model` is.

    Args:
        name: A local folder with `open_clip_config.json`, or an OpenCLIP model name such as "ViT-g-14".
        pretrained: OpenCLIP's tag of the weights, or a safetensors file; needed with a name, none with a folder.

    Raises:
        ModelFolderError: A folder or file that is damaged, or that asks for something from elsewhere.
        ValueError: A name or tag that OpenCLIP does not know, or a name without a tag.
    """

    def __init__(self, name: str, /, *, pretrained: str | None = None) -> None:
        if pretrained is None:
            config, weights = check_clip_folder(_folder(name)), _folder(name) / WEIGHTS
            source, settings = f"local-dir:{name}", dict[str, Any]()
            check_clip_size(config, weights)
        else:
            found = clip_weights(name, pretrained=pretrained)
            config, weights, source = open_clip.get_model_config(name), found.found(), name
            settings = {"pretrained": str(weights), "force_preprocess_cfg": found.preprocess}
        with faults_told(weights, what="an OpenCLIP model of its config"):
            self.model = open_clip.create_model(source, require_pretrained=True, pretrained_text=False, **settings)
        check_finite(self.model, weights)
        self.model.eval().requires_grad_(False)
        self._tokenizer = ClipTokenizer(name, pretrained=pretrained)
        self._preprocessed = preprocessing(PreprocessCfg(**open_clip.get_model_preprocess_cfg(self.model)))

    @torch.inference_mode()
    def embed_captions(self, captions: Sequence[str], /, *, batch_size: int = 64) -> Float[Tensor, "n dim"]:
        """Unit vectors."""
        tokens = self._tokenizer.tokens(captions).to(next(self.model.parameters()).device)
        return torch.cat([self.model.encode_text(part, normalize=True) for part in tokens.split(batch_size)])

    @torch.inference_mode()
    def embed_pictures(self, pictures: Float[Tensor, "n 3 h_px w_px"], /) -> Float[Tensor, "n dim"]:
        """Pictures in [0, 1], resized, cropped or padded by OpenCLIP itself as the model wants, to unit vectors."""
        features: Tensor = self.model.encode_image(self._preprocessed(pictures), normalize=True)
        return features


def clip_of(setting: "ScoreSetting", name: str, /, *, pretrained: str | None) -> ClipModel:
    """An OpenCLIP model where a setting computes, loaded once for all scores that share what is loaded.

    Args:
        setting: Where it is placed, and who shares it.
        name: As `ClipModel` takes it.
        pretrained: As `ClipModel` takes it.
    """
    key = (ClipModel, name, pretrained)
    if key not in setting.shared:
        clip = ClipModel(name, pretrained=pretrained)
        setting.execution.place(clip.model)
        setting.shared[key] = clip
    found: ClipModel = setting.shared[key]
    return found


def check_clip_name(name: str, /, *, pretrained: str | None) -> None:
    """Check, without loading it, that a name is a complete OpenCLIP folder, or comes with a tag or file of weights.

    Raises:
        ValueError: Neither; the message says what is wrong.
    """
    if pretrained is None:
        check_clip_folder(_folder(name))
    else:
        clip_weights(name, pretrained=pretrained)


def clip_digest(name: str, /, *, pretrained: str | None) -> str:
    """Digest of all that is read of a CLIP model; fetches weights that are not here."""
    if pretrained is None:
        return clip_folder_digest(_folder(name))
    found = clip_weights(name, pretrained=pretrained)
    return digest_of({"name": name, "weights": sha256_of(found.found()), "preprocess": found.preprocess})


def former_clip_digest(name: str, /, *, pretrained: str | None) -> str:
    """What `clip_digest` was until 0.1.0: of all files that happened to lie in a folder, or of a tag's name."""
    return folder_digest(_folder(name)) if pretrained is None else f"{name}/{pretrained}"


def _folder(name: str) -> Path:
    folder = Path(name)
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"`clip` must be a folder with {CONFIG}, or a model name with `pretrained` set, but got {name!r}"
        )
    return folder
