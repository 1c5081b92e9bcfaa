"""What an installation brings along, by name: `shapes` is a model, its judge and its captions, and tables have names.

A name means something here only where no file of that name is there.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from latency.documents.shipped import find_table, shipped_tables
from search_spaces.known.bundled import BUNDLED_MODELS, SHAPES
from search_spaces.shapes import CAPTIONS_FILE, OPEN_CLIP_DIR

NAMED: Final[Mapping[str, Mapping[str, Path]]] = {
    "model": BUNDLED_MODELS,
    "search.start": BUNDLED_MODELS,
    "clip.model": {SHAPES: OPEN_CLIP_DIR},
    "validation.captions": {SHAPES: CAPTIONS_FILE},
    "student": BUNDLED_MODELS,  # of a distillation, as all below
    "teacher": BUNDLED_MODELS,
    "samples.captions": {SHAPES: CAPTIONS_FILE},
    "latents.captions": {SHAPES: CAPTIONS_FILE},
    "clip": {SHAPES: OPEN_CLIP_DIR},
    "validation.held_out_captions": {SHAPES: CAPTIONS_FILE},
}
TABLES: Final = ("latency_table", "search.devices", "latency_source.settings.path", "latency_source.settings.tables")


def bundled(key: str, name: str, /) -> Path | None:
    """What a setting's value names among the things that are bundled; None where it names none of them."""
    if key in TABLES and name in shipped_tables():
        return find_table(name)
    return NAMED.get(key, {}).get(name)
