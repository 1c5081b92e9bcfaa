"""What the tests of `nas` search with: a random model of two stages, a latency table made of arithmetic, and a config.

Nothing here was measured, so no test depends on a device: a block costs what its multiply-accumulates say. Nothing here
was trained either, so that a search takes two seconds whatever the bundled model grows to.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from latency import Device, LatencyTable, Method, Protocol, Runtime, TableRow, Workload, write_table
from nas.testing.playing import SMALL_UNET
from search_spaces import BlockSignature, UNetSpace, parse_action, space_from_config
from search_spaces.folders.loading import read_unet_config
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR, caption_of, sample_scene
from search_spaces.shapes.renderer import render

CONTEXT_TOKENS = 24
FIXED_MS, MS_PER_MAC = 0.01, 1e-7

# Scored in the small search; everything else is protected.
FREE_BLOCKS = (
    "cross_attention[down.0,0]",
    "cross_attention[up.0,1]",
    "cross_attention[up.1,1]",
    "resnet[up.1,1]",
    "resnet[mid,1]",
)


def shapes_space(*, max_copies: int = 2) -> UNetSpace:
    return space_from_config(read_unet_config(PIPELINE_DIR), max_copies=max_copies)


def small_space(*, max_copies: int = 2) -> UNetSpace:
    """The space of the model that the small search is about."""
    return space_from_config(SMALL_UNET, max_copies=max_copies)


def write_wanted(folder: Path, /, *actions: str, space: UNetSpace | None = None) -> Path:
    """A spec of a model after some actions, by default of the bundled one."""
    architecture = (space or shapes_space()).base
    for action in actions:
        architecture = parse_action(action).apply(architecture)
    path = folder / "wanted.json"
    path.write_text(architecture.to_json(), encoding="utf-8")
    return path


def synthetic_ms(signature: BlockSignature, /) -> float:
    return FIXED_MS + MS_PER_MAC * signature.num_macs


def synthetic_table(space: UNetSpace, /, *, context_tokens: int = CONTEXT_TOKENS) -> LatencyTable:
    """A table that prices every architecture of a space with the base model's positions."""
    height, width = space.sample_size
    return LatencyTable(
        device=Device(name="arithmetic"),
        runtime=Runtime(name="none", version="0"),
        workload=Workload(
            base_model="pipeline",
            latent_height=height,
            latent_width=width,
            batch=1,
            dtype="float32",
            context_tokens=context_tokens,
            cross_attention_dim=space.stages[0].cross_attention_dim,
            temb_channels=space.temb_channels,
            attention_impl="none",
        ),
        protocol=Protocol(method=Method.MODELLED, clock="none", order="none", rounds=1),
        end_to_end=None,
        check=None,
        rows=tuple(
            TableRow(
                signature=signature,
                median_ms=ms,
                p10_ms=ms,
                p90_ms=ms,
                min_ms=ms,
                mean_ms=ms,
                std_ms=0.0,
                num_samples=1,
                source=Method.MODELLED,
            )
            for signature in space.reachable_signatures(context_tokens=context_tokens)
            for ms in [synthetic_ms(signature)]
        ),
    )


def write_pictures(folder: Path, /, *, num: int, seed: int = 0) -> None:
    """A folder of captioned renderings, as robust training reads it."""
    folder.mkdir(parents=True)
    rng, lines = np.random.default_rng(seed), []
    for index in range(num):
        scene = sample_scene(rng)
        Image.fromarray(render(scene, rng=rng)).save(folder / f"{index}.png")
        lines.append(json.dumps({"file_name": f"{index}.png", "text": caption_of(scene)}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def small_config(**search: Any) -> dict[str, Any]:
    """Settings of a search over five blocks that meets its target in a few rounds; paths lie beside the file."""
    space = small_space()
    blocks = {str(action)[1:] for action in space.removals(space.base)}
    return {
        "model": "model",
        "clip": {"model": str(OPEN_CLIP_DIR)},
        "latency_table": "table.json",
        "validation": {"captions": "captions.txt", "num_prompts": 3, "chunk_size": 2},
        "sampling": {"num_steps": 1, "guidance_scale": 2.0},
        "robust_training": {
            "pictures": "pictures",
            "iterations": 2,
            "recovery_iterations": 2,
            "batch_size": 4,
        },
        "search": {
            "target_ratio": 0.94,
            "removals_per_round": 2,
            "max_copies": 0,
            "value": "paper",  # three prompts prove nothing, and what is found must not hang on ties
            "protected": sorted(blocks - set(FREE_BLOCKS)),
            **search,
        },
    }


def write_experiment(folder: Path, /, config: dict[str, Any] | None = None) -> Path:
    """A folder with a config and everything that it names; the config's path."""
    from tests.folders import write_small_pipeline  # most that import this module need no pipeline, and no diffusers

    folder.mkdir(parents=True, exist_ok=True)
    write_small_pipeline(folder / "model")
    write_table(synthetic_table(small_space()), folder / "table.json")
    write_pictures(folder / "pictures", num=16)
    captions = ["a red circle", "a small blue square on a black background", "a green ring above a yellow cross"]
    (folder / "captions.txt").write_text("\n".join(captions) + "\n", encoding="utf-8")
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(config or small_config(), sort_keys=False), encoding="utf-8")
    return path
