"""Small random pipeline folders of every supported family, written offline in a second by diffusers itself.

`write_pipeline(folder, kind="sdxl")` gives what a checkpoint of that family looks like on disk, `unet_config(kind)` the
family's UNet at its true width; `write_small_pipeline(folder)` the smallest whose search has something to decide. Texts
are read by the bundled tokenizer, so captions of shapes make sense to it.
"""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, Final

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
from transformers.utils.logging import disable_progress_bar

from nas.testing.playing import SMALL_UNET
from search_spaces.known.architectures import SD15_CONFIG, SD21_CONFIG, SDXL_CONFIG
from search_spaces.shapes import PIPELINE_DIR

# The facts of the models' public `unet/config.json`.
_SSD1B: Final[dict[str, Any]] = SDXL_CONFIG | {
    "mid_block_type": "UNetMidBlock2D",
    "transformer_layers_per_block": [1, [2, 2], [4, 4]],
    "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
}
_KOALA: Final[dict[str, Any]] = SDXL_CONFIG | {
    "layers_per_block": 1,
    "mid_block_type": None,
    "transformer_layers_per_block": [0, 2, 5],
}
_CONFIGS: Final[dict[str, dict[str, Any]]] = {
    "sd1": SD15_CONFIG,
    "sd2": SD21_CONFIG,
    "sdxl": SDXL_CONFIG,
    "ssd-1b": _SSD1B,
    "koala": _KOALA,
    "bk-sdm": SD15_CONFIG | {"layers_per_block": 1},
    "bk-sdm-small": SD15_CONFIG | {"layers_per_block": 1, "mid_block_type": None},
}
KINDS: Final = tuple(_CONFIGS)
XL_KINDS: Final = ("sdxl", "ssd-1b", "koala")  # two text encoders
PROJECTION: Final = 40  # width of the second text encoder's pooled embedding
VAE_SCALE: Final = 8  # pixels per latent
SMALL_SIZE_PX: Final = 32  # pictures of the small pipeline
_DIFFUSION: Final[dict[str, Any]] = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1
}  # fmt: skip


def unet_config(
    kind: str, /, *, width: int | None = None, sample_size: int = 8, text_width: int = 32
) -> dict[str, Any]:
    """A family's UNet config.

    Args:
        kind: One of `KINDS`.
        width: Channels of the outermost stage, in place of 320, divisible by 8; None = the model at its true size.
        sample_size: Latent height and width of a narrowed model.
        text_width: Cross-attention width of a narrowed model.
    """
    config = dict(_CONFIGS[kind])
    if width is None:
        return config
    heads = config["attention_head_dim"]
    config |= {
        "sample_size": sample_size,
        "block_out_channels": [channels * width // 320 for channels in config["block_out_channels"]],
        "attention_head_dim": 2 if isinstance(heads, int) else [head // 5 for head in heads],
        "cross_attention_dim": text_width,
        "norm_num_groups": 8,
    }
    for key in ("transformer_layers_per_block", "reverse_transformer_layers_per_block"):
        if key in config:
            config[key] = _shallow(config[key])
    if kind in XL_KINDS:
        config |= {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + PROJECTION}
    return config


def write_pipeline(
    folder: Path,
    /,
    *,
    kind: str = "sd1",
    width: int = 32,
    sample_size: int = 8,
    dtype: torch.dtype = torch.float32,
    variant: str | None = None,
    sharded: bool = False,
    seed: int = 0,
) -> Path:
    """Write a pipeline folder with random weights; it is made once a process, and copied from then on.

    Args:
        folder: Made; must not hold another pipeline.
        kind: One of `KINDS`.
        width: Channels of the UNet's outermost stage, divisible by 8.
        sample_size: Latent height and width; pictures are 8 times as large.
        dtype: Of the weights on disk.
        variant: Part of the weights' file names, such as "fp16".
        sharded: Cut the UNet's weights into several files with an index.
        seed: Of the weights.

    Returns:
        The folder.
    """
    kept = _made(
        kind=kind, width=width, sample_size=sample_size, dtype=dtype, variant=variant, sharded=sharded, seed=seed
    )
    return Path(shutil.copytree(kept, folder, dirs_exist_ok=True))


@cache
def _shelf() -> TemporaryDirectory[str]:
    """Where this process keeps the pipelines that it made."""
    return TemporaryDirectory(prefix="pipelines-")


@cache
def _made(
    *, kind: str, width: int, sample_size: int, dtype: torch.dtype, variant: str | None, sharded: bool, seed: int
) -> Path:
    folder = Path(mkdtemp(dir=_shelf().name), "model")
    disable_progress_bar()
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        pipeline = _xl_pipeline(kind, width, sample_size) if kind in XL_KINDS else _pipeline(kind, width, sample_size)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            torch.nn.Module.to(part, dtype)
    pipeline.save_pretrained(folder, variant=variant, safe_serialization=True)
    _complete_tokenizers(folder)
    if sharded:
        shutil.rmtree(folder / "unet")
        size = sum(weight.nbytes for weight in pipeline.unet.state_dict().values())
        pipeline.unet.save_pretrained(folder / "unet", variant=variant, max_shard_size=size // 3)
    return folder


def write_small_pipeline(folder: Path, /) -> Path:
    """Write a pipeline of `nas.testing.playing.SMALL_UNET`, two stages: searching it takes two seconds.

    Returns:
        The folder.
    """
    return Path(shutil.copytree(_made_small(), folder, dirs_exist_ok=True))


@cache
def _made_small() -> Path:
    folder = Path(mkdtemp(dir=_shelf().name), "model")
    disable_progress_bar()
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        pipeline = _stable_diffusion(
            UNet2DConditionModel(**SMALL_UNET),
            vae=_vae(0.18215, num_stages=3),
            scheduler=DDIMScheduler(
                **_DIFFUSION, clip_sample=False, set_alpha_to_one=False, prediction_type="v_prediction"
            ),
            activation="quick_gelu",
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    _complete_tokenizers(folder)
    return folder


def _shallow(depths: Any) -> Any:
    """Transformer depths made small without losing their order."""
    if isinstance(depths, list):
        return [_shallow(depth) for depth in depths]
    return depths if depths <= 2 else depths // 4 + 1


def _pipeline(kind: str, width: int, sample_size: int) -> StableDiffusionPipeline:
    if kind == "sd2":
        scheduler = DDIMScheduler(
            **_DIFFUSION, clip_sample=False, set_alpha_to_one=False, prediction_type="v_prediction"
        )
    else:
        scheduler = PNDMScheduler(**_DIFFUSION, skip_prk_steps=True)
    unet = UNet2DConditionModel(**unet_config(kind, width=width, sample_size=sample_size, text_width=32))
    activation = "gelu" if kind == "sd2" else "quick_gelu"
    return _stable_diffusion(unet, vae=_vae(0.18215), scheduler=scheduler, activation=activation)


def _stable_diffusion(
    unet: UNet2DConditionModel, *, vae: AutoencoderKL, scheduler: DDIMScheduler | PNDMScheduler, activation: str
) -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(_text_config(unet.config.cross_attention_dim, activation)),
        tokenizer=_tokenizer(),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _xl_pipeline(kind: str, width: int, sample_size: int) -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        vae=_vae(0.13025),
        text_encoder=CLIPTextModel(_text_config(32, "quick_gelu")),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(48, "gelu")),
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(pad_token="!"),  # as SDXL's second tokenizer pads
        unet=UNet2DConditionModel(**unet_config(kind, width=width, sample_size=sample_size, text_width=32 + 48)),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
            steps_offset=1,
        ),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )


def _tokenizer(**settings: str) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(PIPELINE_DIR / "tokenizer", **settings)


def _text_config(hidden_size: int, activation: str) -> CLIPTextConfig:
    tokenizer = _tokenizer()
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        hidden_act=activation,
        projection_dim=PROJECTION,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _vae(scaling_factor: float, *, num_stages: int = 4) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=[8] * num_stages,
        down_block_types=["DownEncoderBlock2D"] * num_stages,
        up_block_types=["UpDecoderBlock2D"] * num_stages,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
        scaling_factor=scaling_factor,
        force_upcast=True,
    )


def _complete_tokenizers(folder: Path) -> None:
    """Published checkpoints hold `vocab.json` and `merges.txt` too, which today's transformers do not write."""
    for path in folder.glob("tokenizer*"):
        for name in ("vocab.json", "merges.txt"):
            shutil.copy(PIPELINE_DIR / "tokenizer" / name, path / name)
