"""What stands in a folder, for the tests of this room."""

from pathlib import Path


def names(folder: Path, /) -> list[str]:
    """Names in a folder, in order."""
    return sorted(path.name for path in folder.iterdir())
