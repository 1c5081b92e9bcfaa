"""The first prompts of a search as the base model and as the exported one draw them."""

from pathlib import Path

import numpy as np

from nas.drawing.draw import DrawingSettings, draw
from nas.drawing.grid import write_grid
from nas.export.source import ExportSource
from nas.pipelines.model_folder import ModelFolder
from nas.scores.drawing import shown_captions


def draw_before_after(source: ExportSource, /, *, export: Path, path: Path) -> None:
    """Draw a search's first prompts as the base model and as the exported one draw them, with the same noise.

    Args:
        source: Of a run.
        export: Its pipeline folder.
        path: PNG file to write.
    """
    config, spec = source.config, source.spec
    assert config is not None, "specs have no prompts"
    prompts = shown_captions(config.validation, seed=config.seed, num=8)
    settings = DrawingSettings(
        prompts=tuple(prompts),
        seed=config.seed,
        num_steps=config.sampling.num_steps,
        guidance_scale=config.sampling.guidance_scale,
        batch_size=len(prompts),
    )
    exported = ModelFolder(export, variant=source.model.variant)
    pictures = [draw(model, settings=settings).pictures for model in (source.model, exported)]
    score = spec.get("scored_by", {}).get("name", "CLIP")
    base_clip = "" if "start" in spec else f", {score} {spec['base_clip']:.3f}"
    title = (
        f"above: base, {spec['base_latency_ms']:.2f} ms{base_clip}    "
        f"below: found, {spec['predicted_latency_ms']:.2f} ms, {score} {spec['clip']:.3f}"
    )
    write_grid(path, np.concatenate(pictures), captions=prompts * 2, num_columns=len(prompts), title=title)
