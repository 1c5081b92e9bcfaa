"""The bundled model by name: `shapes` means it wherever a model may be named, unless such a folder is there."""

from os import PathLike
from pathlib import Path
from typing import Final

from search_spaces.files.paths import local_path

SHAPES: Final = "shapes"
BUNDLED_MODELS: Final = {SHAPES: Path(__file__).parents[1] / "shapes" / "pipeline"}


def folder_name(path: Path, /) -> str:
    """What the model in a folder is called: a bundled one by its name, any other as its folder."""
    path = path.resolve()
    return next((name for name, folder in BUNDLED_MODELS.items() if folder.resolve() == path), path.name)


def named_folder(reference: str | PathLike[str], /) -> Path:
    """The path that a reference means: what is there, else the bundled model of that name, else the path as given."""
    path = local_path(reference)
    return path if path.exists() else BUNDLED_MODELS.get(str(reference), path)
