"""Architectures with a name: the base models' configs, and what papers made of them.

Configs are the facts of the models' public `unet/config.json`. Where it was not at hand (SSD-1B, Segmind-Vega, KOALA),
depths are those that public loaders of their checkpoints state, and the parameters are the published ones. Which
layers of a deeper transformer these four kept is not public: here it is the first ones. tests/search_spaces/known/
test_architectures.py has diffusers count them all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from search_spaces.architecture import Architecture, Position, Stage
from search_spaces.unets.diffusers_config import space_from_config, stock_config
from search_spaces.unets.space import UNetSpace

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


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownArchitecture:
    """What somebody made of a base model.

    Attributes:
        base: Name of the base model, a key of `BASE_CONFIGS`.
        build: Makes the architecture, in the base model's space.
        source: Where it was published.
    """

    base: str
    build: Callable[[], Architecture]
    source: str


def base_space(name: str, /) -> UNetSpace:
    """The space of a base model."""
    return space_from_config(BASE_CONFIGS[name])


def sd15_space() -> UNetSpace:
    """Stable Diffusion 1.5: 16 cross-attentions, 22 ResNets."""
    return base_space("sd-1.5")


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


def _pairs_removed(space: UNetSpace, depths: dict[str, tuple[int, ...]] | None = None) -> Architecture:
    """The second pair of each down stage and the middle pair of each up stage removed, as BK-SDM does."""
    kept = {"down": (0,), "mid": (0, 1), "up": (0, 2)}
    return _kept(space, {g.place: kept[g.place.partition(".")[0]] for g in space.stages}, depths)


def _without(architecture: Architecture, *places: str) -> Architecture:
    return Architecture(stages=tuple(stage for stage in architecture.stages if stage.place not in places))


def bk_sdm_base() -> Architecture:
    """BK-SDM Base from SD-1.5: a pair of every stage removed."""
    return _pairs_removed(sd15_space())


def bk_sdm_small() -> Architecture:
    """BK-SDM Small: Base without the mid block."""
    return _without(bk_sdm_base(), "mid")


def bk_sdm_tiny() -> Architecture:
    """BK-SDM Tiny: Small without the innermost down and up stage."""
    return _without(bk_sdm_small(), "down.3", "up.0")


def ssd_1b() -> Architecture:
    """SSD-1B from SDXL: shallower cross-attentions, a mid block of one ResNet."""
    depths = {"down.2": (4, 4), "mid": (0,), "up.0": (4, 4, 10), "up.1": (2, 1, 1)}
    return _kept(base_space("sdxl"), _MID_OF_ONE_RESNET, depths)


def segmind_vega() -> Architecture:
    """Segmind-Vega from SDXL: cross-attentions of one and two layers, a mid block of one ResNet."""
    depths = {"down.1": (1, 1), "down.2": (2, 2), "mid": (0,), "up.0": (2, 2, 2), "up.1": (1, 1, 1)}
    return _kept(base_space("sdxl"), _MID_OF_ONE_RESNET, depths)


def koala_1b() -> Architecture:
    """KOALA-1B from SDXL: a pair of every stage removed, innermost depth 6."""
    return _pairs_removed(base_space("sdxl"), {"down.2": (6,), "mid": (6, 0), "up.0": (6, 6)})


def koala_700m() -> Architecture:
    """KOALA-700M from SDXL: a pair of every stage removed, innermost depth 5, no mid block."""
    return _without(_pairs_removed(base_space("sdxl"), {"down.2": (5,), "up.0": (5, 5)}), "mid")


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


_MID_OF_ONE_RESNET: Final = {
    **{f"down.{i}": (0, 1) for i in range(3)},
    "mid": (0,),
    **{f"up.{i}": (0, 1, 2) for i in range(3)},
}
_BK_SDM: Final = "arXiv 2305.15798"
_SEGMIND: Final = "arXiv 2401.02677"
_KOALA: Final = "arXiv 2312.04005"
_SNAPFUSION: Final = "arXiv 2306.00980, Table 3"
KNOWN_ARCHITECTURES: Final[dict[str, KnownArchitecture]] = {
    "bk-sdm-base": KnownArchitecture(base="sd-1.5", build=bk_sdm_base, source=_BK_SDM),
    "bk-sdm-small": KnownArchitecture(base="sd-1.5", build=bk_sdm_small, source=_BK_SDM),
    "bk-sdm-tiny": KnownArchitecture(base="sd-1.5", build=bk_sdm_tiny, source=_BK_SDM),
    "snapfusion-table3": KnownArchitecture(base="sd-1.5", build=snapfusion_table3, source=_SNAPFUSION),
    "snapfusion-nearest-stock": KnownArchitecture(base="sd-1.5", build=snapfusion_nearest_stock, source=_SNAPFUSION),
    "ssd-1b": KnownArchitecture(base="sdxl", build=ssd_1b, source=_SEGMIND),
    "segmind-vega": KnownArchitecture(base="sdxl", build=segmind_vega, source=_SEGMIND),
    "koala-1b": KnownArchitecture(base="sdxl", build=koala_1b, source=_KOALA),
    "koala-700m": KnownArchitecture(base="sdxl", build=koala_700m, source=_KOALA),
}


def known_config(name: str, /) -> dict[str, Any] | None:
    """The UNet config of a known model; None for an unknown name and for what no stock config builds."""
    if name in BASE_CONFIGS:
        return BASE_CONFIGS[name]
    if (known := KNOWN_ARCHITECTURES.get(name)) is None:
        return None
    stock = stock_config(known.build(), space=base_space(known.base), base_config=BASE_CONFIGS[known.base])
    return stock.config
