"""The only translator between diffusers' `UNet2DConditionModel` configs and this package's values.

It owns diffusers' quirks: `attention_head_dim` is the number of heads there, lists may be ints, up stages have one
position more than the down stages they mirror, and nested depths need their reverse spelled out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from search_spaces.architecture import Architecture
from search_spaces.files.user_error import UserError
from search_spaces.unets.keys import unet_faults
from search_spaces.unets.space import DEFAULT_MAX_COPIES, UNetSpace
from search_spaces.unets.stock_law import depths_of, mid_stage, mid_type, stock_reasons
from search_spaces.unets.stock_space import SpaceForm, StockSpace
from search_spaces.unets.wiring import StageGeometry

DOWN_BLOCKS: Final = {"CrossAttnDownBlock2D": True, "DownBlock2D": False}
UP_BLOCKS: Final = {"CrossAttnUpBlock2D": True, "UpBlock2D": False}
MID_BLOCKS: Final = ("UNetMidBlock2DCrossAttn", "UNetMidBlock2D", None)
PER_STAGE: Final = (
    "attention_head_dim",
    "num_attention_heads",
    "cross_attention_dim",
    "layers_per_block",
    "transformer_layers_per_block",
    "reverse_transformer_layers_per_block",
)
DEFAULT_SAMPLE_SIZE: Final = 64  # of latents, where a config says none: Stable Diffusion 1's
BLOCK_OUT_CHANNELS: Final = (320, 640, 1280, 1280)  # diffusers' default
TOLD: Final = "time_cond_proj_dim"  # the width in which a distilled UNet is told its guidance
TOLD_WEIGHT: Final = "time_embedding.cond_proj.weight"
# Settings that change the graph in a way the space does not describe, with the only value that it does. What tells a
# distilled UNet its guidance (`time_cond_proj_dim`) is none of them: a linear layer beside the time embedding, which
# belongs to no block, costs next to nothing and is not counted.
FIXED: Final[dict[str, Any]] = {
    "center_input_sample": False,
    "class_embed_type": None,
    "num_class_embeds": None,
    "encoder_hid_dim": None,
    "encoder_hid_dim_type": None,
    "dual_cross_attention": False,
    "time_embedding_type": "positional",
    "time_embedding_act_fn": None,
    "timestep_post_act": None,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "class_embeddings_concat": False,
    "attention_type": "default",
    "cross_attention_norm": None,
}


class UnsupportedConfigError(UserError):
    """A UNet config that the space cannot describe; the message names every such setting and what is supported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockConfig:
    """Whether an architecture is a stock diffusers config: `config` is None exactly when `reasons` says why not."""

    config: dict[str, Any] | None
    reasons: tuple[str, ...]


def _per_stage(value: Any, num: int) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value] * num


def _per_position(value: Any, num: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * num


def space_from_config(
    config: Mapping[str, Any], /, *, max_copies: int = DEFAULT_MAX_COPIES, form: SpaceForm = SpaceForm.ANY
) -> UNetSpace:
    """The search space of any UNet that a `UNet2DConditionModel` config describes.

    Args:
        config: The content of a `unet/config.json`; absent keys take diffusers' defaults.
        max_copies: How many copies one block may get.
        form: Any architecture, or those that a stock config builds.

    Raises:
        UnsupportedConfigError: The config uses blocks or settings that the space cannot describe.
    """
    if wrong := unet_faults(config):
        raise UnsupportedConfigError(f"this UNet cannot be searched: {'; '.join(wrong)}")
    channels = list(config.get("block_out_channels", BLOCK_OUT_CHANNELS))
    num = len(channels)
    downs = list(config.get("down_block_types", ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)))
    ups = list(config.get("up_block_types", ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3))
    mid = config.get("mid_block_type", "UNetMidBlock2DCrossAttn")
    _check_supported(config, channels, downs, ups, mid)
    heads = config.get("num_attention_heads") or config.get("attention_head_dim", 8)
    heads = _per_stage(heads, num)
    contexts = _per_stage(config.get("cross_attention_dim", 1280), num)
    layers = _per_stage(config.get("layers_per_block", 2), num)
    depths = _per_stage(config.get("transformer_layers_per_block", 1), num)
    up_depths = config.get("reverse_transformer_layers_per_block") or depths[::-1]

    def stage(place: str, i: int, attends: bool, depth: Any, positions: int) -> StageGeometry:
        own = _per_position(depth, positions) if attends else (0,) * positions
        return StageGeometry(
            place=place, channels=channels[i], depths=own, heads=heads[i], cross_attention_dim=contexts[i]
        )

    stages = [stage(f"down.{i}", i, DOWN_BLOCKS[downs[i]], depths[i], layers[i]) for i in range(num)]
    if mid is not None:
        mid_depth = _per_position(depths[-1], 1)[0]
        own = (mid_depth, 0) if mid == "UNetMidBlock2DCrossAttn" else (0,)
        stages.append(
            StageGeometry(
                place="mid", channels=channels[-1], depths=own, heads=heads[-1], cross_attention_dim=contexts[-1]
            )
        )
    stages += [
        stage(f"up.{i}", num - 1 - i, UP_BLOCKS[ups[i]], up_depths[i], layers[num - 1 - i] + 1) for i in range(num)
    ]
    conditioning = [channels[0]]
    if config.get("addition_embed_type") == "text_time":
        conditioning.append(config["projection_class_embeddings_input_dim"])
    size = config.get("sample_size") or DEFAULT_SAMPLE_SIZE
    scale_shift = config.get("resnet_time_scale_shift", "default") == "scale_shift"
    return {SpaceForm.ANY: UNetSpace, SpaceForm.STOCK: StockSpace}[form](
        stages=tuple(stages),
        in_channels=config.get("in_channels", 4),
        out_channels=config.get("out_channels", 4),
        sample_size=(size[0], size[1]) if isinstance(size, (list, tuple)) else (size, size),
        temb_channels=config.get("time_embedding_dim") or 4 * channels[0],
        conditioning_channels=tuple(conditioning),
        resnet_variant="scale_shift" if scale_shift else "",
        attention_variant="linear" if config.get("use_linear_projection", False) else "",
        max_copies=max_copies,
    )


def _check_supported(
    config: Mapping[str, Any], channels: list[int], downs: list[str], ups: list[str], mid: Any
) -> None:
    wrong = []
    for name, types, known in (("down_block_types", downs, DOWN_BLOCKS), ("up_block_types", ups, UP_BLOCKS)):
        wrong += [
            f"`{name}` holds {t!r}; supported: {', '.join(known)}" for t in dict.fromkeys(types) if t not in known
        ]
        if len(types) != len(channels):
            wrong.append(f"`{name}` has {len(types)} stages but `block_out_channels` has {len(channels)}")
    if mid not in MID_BLOCKS:
        wrong.append(f"`mid_block_type` is {mid!r}; supported: {', '.join(map(str, MID_BLOCKS))}")
    wrong += [f"`{k}` is {config[k]!r}; supported: {v!r}" for k, v in FIXED.items() if config.get(k, v) != v]
    if config.get("addition_embed_type") not in (None, "text_time"):
        wrong.append(f"`addition_embed_type` is {config['addition_embed_type']!r}; supported: None, 'text_time'")
    if any(_per_stage(config.get("only_cross_attention", False), 1)) or config.get("mid_block_only_cross_attention"):
        wrong.append("`only_cross_attention` is set; supported: self-attention and cross-attention in every block")
    if config.get("norm_num_groups", 32) is None:
        wrong.append("`norm_num_groups` is None; supported: a number of groups")
    wrong += _wrong_counts(config, channels, downs, ups, mid)
    if wrong:
        raise UnsupportedConfigError("this UNet cannot be searched: " + "; ".join(wrong))


def _wrong_counts(
    config: Mapping[str, Any], channels: list[int], downs: list[str], ups: list[str], mid: Any
) -> list[str]:
    """What is wrong with counts and depths: an entry for every stage or position, each of at least 1."""
    num = len(channels)
    wrong = [
        f"`{key}` has {len(config[key])} entries but `block_out_channels` has {num}"
        for key in PER_STAGE
        if isinstance(config.get(key), (list, tuple)) and len(config[key]) != num
    ]
    if wrong:
        return wrong
    layers = _per_stage(config.get("layers_per_block", 2), num)
    if min(layers) < 1:
        wrong.append(f"`layers_per_block` is {config['layers_per_block']}; supported: at least 1 in every stage")
    depths = _per_stage(config.get("transformer_layers_per_block", 1), num)
    reverse = config.get("reverse_transformer_layers_per_block")
    if reverse is None and any(isinstance(depth, (list, tuple)) for depth in depths):
        return [*wrong, "`reverse_transformer_layers_per_block` is missing: nested depths of the down path need it"]
    down_side = ("transformer_layers_per_block", depths, layers, [DOWN_BLOCKS.get(t) for t in downs])
    taken = [num_layers + 1 for num_layers in reversed(layers)]
    up_side = ("reverse_transformer_layers_per_block", reverse or depths[::-1], taken, [UP_BLOCKS.get(t) for t in ups])
    if mid == "UNetMidBlock2DCrossAttn" and _per_position(depths[-1], 1)[0] < 1:
        wrong.append(f"`transformer_layers_per_block` has depth {depths[-1]} for mid; supported: at least 1")
    for key, entries, positions, attends in (down_side, up_side):
        wrong += [
            f"`{key}` has {len(entry)} depths in entry {i}, a stage of {num_positions} positions"
            for i, (entry, num_positions, attend) in enumerate(zip(entries, positions, attends, strict=False))
            if attend and isinstance(entry, (list, tuple)) and len(entry) != num_positions
        ]
        # diffusers would build a transformer without layers, whose projections are neither there nor gone.
        wrong += [
            f"`{key}` has depth {entry} in entry {i}, a stage with cross-attention; supported: at least 1"
            for i, (entry, attend) in enumerate(zip(entries, attends, strict=False))
            if attend and min(_per_position(entry, 1), default=0) < 1
        ]
    return wrong


def stock_config(architecture: Architecture, /, *, space: UNetSpace, base_config: Mapping[str, Any]) -> StockConfig:
    """The config by which an unmodified `UNet2DConditionModel` builds an architecture, or the reasons why none does.

    Args:
        architecture: An architecture of `space`.
        space: The space of `base_config`.
        base_config: The base model's config; what the architecture does not touch is taken from it.
    """
    space.check(architecture)
    if reasons := stock_reasons(architecture, space=space):
        return StockConfig(config=None, reasons=reasons)
    downs = [stage for stage in architecture.stages if stage.place.startswith("down")]
    ups = [stage for stage in architecture.stages if stage.place.startswith("up")]
    mid = mid_stage(architecture)
    indices = [int(stage.place.removeprefix("down.")) for stage in downs]
    num = len(space.stages) // 2

    def pick(key: str, default: Any) -> list[Any]:
        per_stage = _per_stage(base_config.get(key, default), num)
        return [per_stage[i] for i in indices]

    down_depths, up_depths = ([list(depths_of(s)) if any(depths_of(s)) else 1 for s in side] for side in (downs, ups))
    if mid is not None and depths_of(mid)[0] and not isinstance(down_depths[-1], list):
        down_depths[-1] = depths_of(mid)[
            0
        ]  # diffusers reads the mid block's depth from the innermost down stage's entry
    heads_key = "num_attention_heads" if base_config.get("num_attention_heads") else "attention_head_dim"
    config = dict(base_config) | {
        "block_out_channels": pick("block_out_channels", BLOCK_OUT_CHANNELS),
        heads_key: pick(heads_key, 8),
        "cross_attention_dim": pick("cross_attention_dim", 1280),
        "down_block_types": ["CrossAttnDownBlock2D" if any(depths_of(s)) else "DownBlock2D" for s in downs],
        "mid_block_type": None if mid is None else mid_type(mid),
        "up_block_types": ["CrossAttnUpBlock2D" if any(depths_of(s)) else "UpBlock2D" for s in ups],
        "layers_per_block": [len(stage.positions) for stage in downs],
        "transformer_layers_per_block": down_depths,
        "reverse_transformer_layers_per_block": up_depths,
    }
    return StockConfig(config=config, reasons=())
