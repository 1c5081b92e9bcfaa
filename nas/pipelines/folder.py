"""A diffusers pipeline folder taken apart: VAE, text encoders, tokenizers and scheduler, loaded as safetensors only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.utils import logging as diffusers_logging
from jaxtyping import Float
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
from transformers.utils.logging import disable_progress_bar

import search_spaces.searched_unet  # noqa: F401  diffusers loads the class only from a module that is imported already
from nas.pipelines.autoencoder import Autoencoder
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.index import PipelineClass, PipelineIndex
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.schedulers import own_scheduler, scheduler_config
from nas.pipelines.text_encoders import TextEncoders
from search_spaces.folders.checked_loading import check_finite, faults, faults_told, load_model, remedy, without_weights
from search_spaces.folders.loading import MAX_TOKENS
from search_spaces.folders.part_laws import TEXT_ENCODER_SETTINGS, read_text_encoder_config
from search_spaces.folders.tokenizer_files import CONFIG, check_tokenizer
from search_spaces.folders.weight_files import ModelFolderError, stored_tensors

PARTS: Final = ("vae", "text_encoder", "tokenizer", "scheduler", "unet")  # of a pipeline with one text encoder
_ADAPTER: Final = "adapter_config.json"
_TEXT_MODELS: Final = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PipelineParts:
    """Everything of a text-to-image pipeline but its UNet.

    Attributes:
        autoencoder: Between pictures and latents.
        text_encoders: What reads captions.
        scheduler_config: Settings of its own scheduler, as diffusers' pipeline corrects them.
        index: What the folder says of itself.
    """

    autoencoder: Autoencoder
    text_encoders: TextEncoders
    scheduler_config: dict[str, Any]
    index: PipelineIndex

    @classmethod
    def load(cls, model: ModelFolder, /, *, dtype: torch.dtype | None = None) -> Self:
        """Load the parts of a model.

        Args:
            model: Where they stand.
            dtype: Of the weights; None = float32. An SDXL autoencoder that asks for it (`force_upcast`) stays in
                float32 where the rest is float16, in which it overflows.

        Raises:
            ModelFolderError: A damaged part; the message says what is wrong with it.
        """
        return cls(
            autoencoder=load_autoencoder(model, dtype=dtype),
            text_encoders=load_text_encoders(model, dtype=dtype),
            scheduler_config=scheduler_config(model),
            index=model.index,
        )

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        """What has weights."""
        return (self.autoencoder.vae, *self.text_encoders.models)

    def embed(self, captions: Sequence[str], /, *, size_px: tuple[int, int], batch_size: int = 64) -> Conditioning:
        """The conditioning of one picture of `size_px` (height, width) per caption; see `TextEncoders.encode`."""
        return self.text_encoders.encode(captions, size_px=size_px, batch_size=batch_size)

    def encode(self, pictures: Float[Tensor, "n 3 h_px w_px"], /, *, batch_size: int = 64) -> Float[Tensor, "n c h w"]:
        """Pictures in [0, 1] to scaled latents."""
        return self.autoencoder.encode(pictures, batch_size=batch_size)

    def decode(self, latents: Float[Tensor, "n c h w"], /) -> Float[Tensor, "n 3 h_px w_px"]:
        """Scaled latents to pictures in [0, 1]."""
        return self.autoencoder.decode(latents)


def load_autoencoder(model: ModelFolder, /, *, dtype: torch.dtype | None = None) -> Autoencoder:
    """The autoencoder of a model, in evaluation mode; see `PipelineParts.load`."""
    of_sdxl = model.index.pipeline_class is PipelineClass.SDXL
    upcasts = of_sdxl and model.part_config("vae").get("force_upcast", True)
    vae_dtype = torch.float32 if upcasts and dtype is torch.float16 else dtype
    vae = load_model(AutoencoderKL, model.part("vae"), dtype=vae_dtype, variant=model.variant).requires_grad_(False)
    return Autoencoder(vae=vae, of_sdxl=of_sdxl)


def load_text_encoders(model: ModelFolder, /, *, dtype: torch.dtype | None = None) -> TextEncoders:
    """The text encoders of a model with their tokenizers, in evaluation mode."""
    disable_progress_bar()  # transformers draws one per model, over the search's own
    names = model.index.text_encoders
    tokenizers = load_tokenizers(model)
    models = tuple(_load_text_encoder(model.part(name), variant=model.variant, dtype=dtype) for name in names)
    for name, tokenizer, encoder in zip(names, tokenizers, models, strict=True):
        for what, got, most in (
            ("tokens of a text", tokenizer.model_max_length, encoder.config.max_position_embeddings),
            ("tokens of the vocabulary", len(tokenizer), encoder.config.vocab_size),
        ):
            if got > most:
                raise ModelFolderError(
                    f"{model.part(_tokenizer_of(name))} must give the {what} that {model.part(name)} reads, at most "
                    f"{most}, but gives {got}; restore the folder from where it came"
                )
    if len(limits := {tokenizer.model_max_length for tokenizer in tokenizers}) > 1:
        raise ModelFolderError(
            f"the tokenizers in {model.path} must have the same `model_max_length`, but got "
            f"{' and '.join(map(str, sorted(limits)))}; restore tokenizer_config.json from where it came"
        )
    return TextEncoders(tokenizers=tokenizers, models=models, zero_empty_prompt=model.index.zero_empty_prompt)


def load_tokenizers(model: ModelFolder, /) -> tuple[CLIPTokenizer, ...]:
    """The tokenizers of a model, one per text encoder."""
    return tuple(_load_tokenizer(model.part(_tokenizer_of(name))) for name in model.index.text_encoders)


def _tokenizer_of(text_encoder: str) -> str:
    return text_encoder.replace("text_encoder", "tokenizer")


def _load_tokenizer(folder: Path) -> CLIPTokenizer:
    check_tokenizer(folder)
    with faults_told(folder, what="a CLIP tokenizer, with vocab.json and merges.txt or tokenizer.json"):
        tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer("a")
    if not 1 <= tokenizer.model_max_length <= MAX_TOKENS:
        raise ModelFolderError(
            f"`model_max_length` in {folder / CONFIG} must be a number of tokens up to {MAX_TOKENS:,}, but got "
            f"{tokenizer.model_max_length:g}"
        )
    return tokenizer


def _load_text_encoder(
    folder: Path, *, variant: str | None, dtype: torch.dtype | None
) -> CLIPTextModel | CLIPTextModelWithProjection:
    if (folder / _ADAPTER).is_file():  # transformers would load another model, which this file names
        raise ModelFolderError(f"{folder} holds {_ADAPTER} of PEFT, which is not supported; merge it and save again")
    read = read_text_encoder_config(folder / "config.json")
    stored = {_bare(name): tensor for name, tensor in stored_tensors(folder, variant=variant).items()}
    with faults_told(folder):
        config = CLIPTextConfig(**{key: read[key] for key in TEXT_ENCODER_SETTINGS if key in read})
        with without_weights():
            wanted = {
                _bare(name): tuple(tensor.shape)
                for name, tensor in _TEXT_MODELS[folder.name](config).named_parameters()
            }
    if wrong := faults(wanted, {name: tensor for name, tensor in stored.items() if name in wanted}):
        raise ModelFolderError(
            f"the weights in {folder} must be those of its config.json, but {'; '.join(wrong)}; {remedy(stored)}"
        )
    with faults_told(folder):
        model: CLIPTextModel = _TEXT_MODELS[folder.name].from_pretrained(
            folder,
            config=config,
            use_safetensors=True,
            dtype=dtype or torch.float32,
            variant=variant,
            local_files_only=True,
            trust_remote_code=False,
        )
    check_finite(model, folder)
    return model.eval()


def _bare(name: str) -> str:
    """A weight's name without what only some versions of transformers put before it."""
    return name.removeprefix("text_model.")


def load_pipeline(
    model: ModelFolder, /, *, dtype: torch.dtype | None = None
) -> StableDiffusionPipeline | StableDiffusionXLPipeline:
    """diffusers' own pipeline of a model, a base model's or an exported one, safetensors only and without a checker.

    Args:
        model: Where its parts stand.
        dtype: Of the weights; None = float32.

    Raises:
        ModelFolderError: A damaged part; the message says what is wrong with it.
    """
    index = model.index
    diffusers_logging.disable_progress_bar()
    scheduler = own_scheduler(model)
    encoders = load_text_encoders(model, dtype=dtype)
    # All is given, so that diffusers loads nothing by itself.
    settings: dict[str, Any] = dict(zip(index.text_encoders, encoders.models, strict=True))
    settings |= dict(zip(map(_tokenizer_of, index.text_encoders), encoders.tokenizers, strict=True))
    settings |= {
        "vae": load_model(AutoencoderKL, model.part("vae"), dtype=dtype, variant=model.variant),
        "unet": model.load_unet(dtype=dtype),
        "scheduler": scheduler,
        "feature_extractor": None,
        "image_encoder": None,
    }
    if index.pipeline_class is PipelineClass.SDXL:
        pipeline_class, settings = StableDiffusionXLPipeline, settings | {"add_watermarker": False}
    else:
        pipeline_class = StableDiffusionPipeline
        settings |= {"safety_checker": None, "requires_safety_checker": False}
    return pipeline_class.from_pretrained(
        model.path,
        variant=model.variant,
        dtype=dtype or torch.float32,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        **settings,
    )
