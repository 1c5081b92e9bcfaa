"""What stands in a folder, to be compared with what stood there before."""

from pathlib import Path


def content(folder: Path, /) -> dict[str, bytes]:
    """Every file below a folder, by its path there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
