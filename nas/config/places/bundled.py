"""What an installation brings along, by name: `shapes` is a model, its judge and its captions, and tables have names.

A name means something only where no such thing is called so: a folder of pictures named `shapes` hides no model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from latency.documents.shipped import find_table, shipped_tables
from nas.runs.bundled.naming import BUNDLED_RUNS
from search_spaces.known.bundled import BUNDLED_MODELS, SHAPES, is_model
from search_spaces.shapes import CAPTIONS_FILE, OPEN_CLIP_DIR

_CLIP_MARK: Final = "open_clip_config.json"
_CLIPS: Final[Mapping[str, Path]] = {SHAPES: OPEN_CLIP_DIR}
_CAPTIONS: Final[Mapping[str, Path]] = {SHAPES: CAPTIONS_FILE}
NAMED: Final[Mapping[str, Mapping[str, Path]]] = {
    "model": BUNDLED_MODELS,
    "search.start": {**BUNDLED_MODELS, **BUNDLED_RUNS},
    "clip.model": _CLIPS,
    "score.settings.model": _CLIPS,
    "scoring.settings.model": _CLIPS,
    "validation.captions": _CAPTIONS,
    "student": BUNDLED_MODELS,  # of a distillation, as all below
    "teacher": BUNDLED_MODELS,
    "samples.captions": _CAPTIONS,
    "latents.captions": _CAPTIONS,
    "clip": _CLIPS,
    "validation.held_out_captions": _CAPTIONS,
}
TABLES: Final = ("latency_table", "search.devices", "latency_source.settings.path", "latency_source.settings.tables")


def meant(key: str, name: str, /, *, there: Path) -> Path:
    """What a setting's value means: what stands there if it is of the setting's kind, else what is bundled.

    Args:
        key: Dotted key of the setting.
        name: Its value.
        there: The path that the value would be.
    """
    named = bundled(key, name)
    return there if named is None or _is_such(there, named) else named


def _is_such(there: Path, named: Path) -> bool:
    """Whether what stands there is of the kind of what is bundled: a model or a run, a judge, or a file."""
    if named in (*BUNDLED_MODELS.values(), *BUNDLED_RUNS.values()):
        return is_model(there)
    return there.is_file() or (named.is_dir() and (there / _CLIP_MARK).is_file())


def bundled(key: str, name: str, /) -> Path | None:
    """What a setting's value names among the things that are bundled; None where it names none of them."""
    if key in TABLES and name in shipped_tables():
        return find_table(name)
    return NAMED.get(key, {}).get(name)
