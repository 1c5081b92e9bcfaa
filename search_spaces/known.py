"""Architectures with a name: the base models' configs, and what papers made of them.

Configs are the facts of the models' public `unet/config.json`; parameter counts in the tests come from PAPER-level
figures that diffusers itself confirms.
"""

from typing import Any, Final

from search_spaces.architecture import Architecture, Position, Stage
from search_spaces.diffusers_config import space_from_config
from search_spaces.unet_space import UNetSpace

SD15_CONFIG: Final[dict[str, Any]] = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
SD21_CONFIG: Final[dict[str, Any]] = SD15_CONFIG | {
    "sample_size": 96,
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
}
SDXL_CONFIG: Final[dict[str, Any]] = {
    "sample_size": 128,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280],
    "layers_per_block": 2,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
BASE_CONFIGS: Final[dict[str, dict[str, Any]]] = {"sd-1.5": SD15_CONFIG, "sd-2.1": SD21_CONFIG, "sdxl": SDXL_CONFIG}


def sd15_space() -> UNetSpace:
    """Stable Diffusion 1.5: 16 cross-attentions, 22 ResNets."""
    return space_from_config(SD15_CONFIG)


def _kept(
    space: UNetSpace, kept: dict[str, tuple[int, ...]], depths: dict[str, tuple[int, ...]] | None = None
) -> Architecture:
    """Positions `kept` of each stage, one ResNet each; `depths` overrides the base model's cross-attention depths."""
    stages = []
    for place, sources in kept.items():
        own = space.geometry(place).depths
        chosen = (depths or {}).get(place, tuple(own[source] for source in sources))
        positions = tuple(
            Position(resnets=1, cross_attentions=depth, source=source)
            for source, depth in zip(sources, chosen, strict=True)
        )
        stages.append(Stage(place=place, positions=positions))
    return Architecture(stages=tuple(stages))


def bk_sdm_base() -> Architecture:
    """BK-SDM Base from SD-1.5: the second pair of each down stage and the middle pair of each up stage removed."""
    downs = {f"down.{i}": (0,) for i in range(4)}
    return _kept(sd15_space(), {**downs, "mid": (0, 1), **{f"up.{i}": (0, 2) for i in range(4)}})


def bk_sdm_small() -> Architecture:
    """BK-SDM Small: Base without the mid block."""
    return Architecture(stages=tuple(stage for stage in bk_sdm_base().stages if stage.place != "mid"))


def bk_sdm_tiny() -> Architecture:
    """BK-SDM Tiny: Small without the innermost down and up stage."""
    gone = ("down.3", "up.0")
    return Architecture(stages=tuple(stage for stage in bk_sdm_small().stages if stage.place not in gone))


def snapfusion_table3() -> Architecture:
    """SnapFusion's Table 3, read literally, in the space of SD-1.5.

    The paper gives counts per stage; which block of a stage went is our choice: the inner ones, so that the first
    and last of every stage stay.
    """
    genes = {
        "down.0": ((1, 0), (1, 0)),
        "down.1": ((1, 1), (1, 1)),
        "down.2": ((1, 1), (0, 1)),
        "down.3": ((1, 0), (0, 0)),
        "mid": ((1, 1), (0, 0)),
        "up.0": ((1, 0), (0, 0), (1, 0)),
        "up.1": ((1, 2), (0, 2), (1, 2)),
        "up.2": ((1, 1), (1, 1), (1, 1)),
        "up.3": ((1, 0), (1, 0), (1, 0)),
    }
    return Architecture(
        stages=tuple(
            Stage(
                place=place,
                positions=tuple(
                    Position(resnets=r, cross_attentions=c, source=i) for i, (r, c) in enumerate(positions)
                ),
            )
            for place, positions in genes.items()
        )
    )


def snapfusion_nearest_stock() -> Architecture:
    """The stock config nearest to Table 3: all of it except Mid, which has five ResNets instead of four."""
    kept = {"down.0": (0, 1), "down.1": (0, 1), "down.2": (0,), "down.3": (0,), "mid": (0, 1)}
    kept |= {"up.0": (0, 2), "up.1": (0, 2), "up.2": (0, 1, 2), "up.3": (0, 1, 2)}
    depths = {"down.0": (0, 0), "down.2": (2,), "up.1": (3, 3), "up.3": (0, 0, 0)}
    return _kept(sd15_space(), kept, depths)
