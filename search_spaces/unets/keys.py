"""What may stand in a `UNet2DConditionModel`'s config: every setting with its type and bounds, nothing else. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from search_spaces.files.config_laws import FLAG, NULL, TEXT, Law, Laws, among, config_faults, listed, number, whole

MAX_STAGES: Final = 16
MAX_LAYERS: Final = 64  # positions of a stage, layers of a transformer: far beyond any UNet
MAX_TRANSFORMER_LAYERS: Final = 2_000  # of a whole UNet; SDXL has 70
MAX_CHANNELS: Final = 1 << 16
ACTIVATIONS: Final = ("silu", "swish", "mish", "gelu", "relu")  # diffusers'

CHANNELS: Final = whole(1, MAX_CHANNELS)
_LAYERS: Final = whole(0, MAX_LAYERS)
_STAGES: Final = {"least": 1, "most": MAX_STAGES}


def per_stage(law: Law, /) -> Law:
    """One value for all stages, or a list with one for each."""
    return law | listed(law, **_STAGES)


_DEPTHS: Final = per_stage(_LAYERS | listed(_LAYERS, least=1, most=MAX_LAYERS + 1))
_FLAG: Final = FLAG | NULL
_NAME: Final = TEXT | NULL
_CHANNELS: Final = CHANNELS | NULL

# What files say beside a model's settings, of diffusers' own and of its trainers' averages; nothing reads it.
METADATA: Final[Laws] = {
    "_class_name": TEXT,
    "_use_default_values": listed(TEXT, most=1_000),  # read by schedulers
    **dict.fromkeys(("_diffusers_version", "_name_or_path", "torch_dtype"), _NAME),
}
AVERAGES: Final = ("decay", "inv_gamma", "min_decay", "optimization_step", "power", "update_after_step",
                   "use_ema_warmup")  # fmt: skip

_SETTINGS: Final[Laws] = {
    "sample_size": NULL | CHANNELS | listed(CHANNELS, least=2, most=2),
    "in_channels": CHANNELS,
    "out_channels": CHANNELS,
    "center_input_sample": _FLAG,
    "flip_sin_to_cos": _FLAG,
    "freq_shift": number(-1e3, 1e3),
    "down_block_types": listed(TEXT, **_STAGES),
    "mid_block_type": _NAME,
    "up_block_types": listed(TEXT, **_STAGES),
    "only_cross_attention": _FLAG | listed(FLAG, **_STAGES),
    "block_out_channels": listed(CHANNELS, **_STAGES),
    "layers_per_block": per_stage(_LAYERS),
    "downsample_padding": whole(0, 16),
    "mid_block_scale_factor": number(),
    "dropout": number(0, 1),
    "act_fn": among(*ACTIVATIONS),
    "norm_num_groups": _CHANNELS,
    "norm_eps": number(0, 1),
    "cross_attention_dim": per_stage(CHANNELS),
    "transformer_layers_per_block": _DEPTHS,
    "reverse_transformer_layers_per_block": NULL | _DEPTHS,
    "encoder_hid_dim": _CHANNELS,
    "encoder_hid_dim_type": _NAME,
    "attention_head_dim": per_stage(CHANNELS),
    "num_attention_heads": NULL | per_stage(CHANNELS),
    "dual_cross_attention": _FLAG,
    "use_linear_projection": _FLAG,
    "class_embed_type": _NAME,
    "addition_embed_type": _NAME,
    "addition_time_embed_dim": _CHANNELS,
    "num_class_embeds": _CHANNELS,
    "upcast_attention": _FLAG,
    "resnet_time_scale_shift": among("default", "scale_shift", "ada_group", "spatial"),
    "resnet_skip_time_act": _FLAG,
    "resnet_out_scale_factor": NULL | number(),
    "time_embedding_type": among("positional", "fourier"),
    "time_embedding_dim": _CHANNELS,
    "time_embedding_act_fn": _NAME,
    "timestep_post_act": _NAME,
    "time_cond_proj_dim": _CHANNELS,
    "conv_in_kernel": whole(1, 63),
    "conv_out_kernel": whole(1, 63),
    "projection_class_embeddings_input_dim": _CHANNELS,
    "attention_type": NULL | among("default", "gated", "gated-text-image"),
    "class_embeddings_concat": _FLAG,
    "mid_block_only_cross_attention": _FLAG,
    "cross_attention_norm": _NAME,
    "addition_embed_type_num_heads": _CHANNELS,
}
UNET_LAWS: Final[Laws] = METADATA | _SETTINGS


def unet_faults(config: Mapping[str, Any], /) -> list[str]:
    """What keeps a config from being any UNet's, whatever keys it holds beside those of a UNet; a sentence each."""
    wrong = config_faults(config, _SETTINGS, ignored=None)
    if wrong:
        return wrong
    layers, depths = config.get("layers_per_block", 2), config.get("transformer_layers_per_block", 1)
    reverse = config.get("reverse_transformer_layers_per_block") or depths
    num_stages = len(config.get("block_out_channels", range(4)))
    most = num_stages * ((_largest(layers)) * _largest(depths) + (_largest(layers) + 1) * _largest(reverse))
    if most > MAX_TRANSFORMER_LAYERS:
        wrong.append(
            f"`transformer_layers_per_block` {depths} and `layers_per_block` {layers} must give at most "
            f"{MAX_TRANSFORMER_LAYERS:,} transformer layers, but {num_stages} stages may have {most:,}"
        )
    return wrong


def _largest(values: Any) -> int:
    """The largest number of nested lists of them."""
    return max(map(_largest, values), default=0) if isinstance(values, (list, tuple)) else int(values)
