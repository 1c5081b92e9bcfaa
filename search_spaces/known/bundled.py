"""The bundled model by name: `shapes` means it wherever a model may be named, unless a model of that name is there."""

from os import PathLike
from pathlib import Path
from typing import Final

from search_spaces.files.paths import local_path

SHAPES: Final = "shapes"
BUNDLED_MODELS: Final = {SHAPES: Path(__file__).parents[1] / "shapes" / "pipeline"}
# What a pipeline, a UNet, an export, a run or a training has; a folder with none of these only happens to be called so.
_MARKS: Final = (
    "model_index.json", "unet", "vae", "text_encoder", "config.json",
    "architecture.json", "config.yaml", "training.yaml",
)  # fmt: skip


def folder_name(path: Path, /) -> str:
    """What the model in a folder is called: a bundled one by its name, any other as its folder."""
    path = path.resolve()
    return next((name for name, folder in BUNDLED_MODELS.items() if folder.resolve() == path), path.name)


def is_model(path: Path, /) -> bool:
    """Whether what stands there may be meant as a model: a file, or a folder that holds a part of one."""
    return path.is_file() or any((path / mark).exists() for mark in _MARKS)


def named_folder(reference: str | PathLike[str], /) -> Path:
    """The path that a reference means: a model that is there, else the bundled one of that name, else the path."""
    path = local_path(reference)
    return path if is_model(path) else BUNDLED_MODELS.get(str(reference), path)
