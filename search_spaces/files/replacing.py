"""What a command may replace: a file of the kind that it writes; whatever else stands there is somebody's work."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from search_spaces.files.durable.places import PlaceError, check_writable

_HEADS: Final = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"%PDF-", b"%!PS", b"II*\0", b"MM\0*", b"GIF8")


def check_replaceable(path: Path, is_ours: Callable[[Path], bool], /, *, kind: str) -> None:
    """Check that a file can be made at a path, and that what it replaces is nothing, empty, or of the same kind.

    Args:
        path: Where it shall stand.
        is_ours: Whether a file, which is not empty, is of the kind.
        kind: What is written, such as "a picture"; for the message.

    Raises:
        PlaceError: Something else stands there; it was not touched.
        StorageError: The disk refuses.
    """
    check_writable(path)
    if path.is_file() and path.stat().st_size and not is_ours(path):
        raise PlaceError(
            f"{path} is to become {kind}, but a file that is none stands there; give another place, or move it away"
        )


def is_picture(path: Path, /) -> bool:
    """Whether a file begins as a picture does: PNG, JPEG, WebP, TIFF, GIF, SVG, PDF or PostScript."""
    with path.open("rb") as file:
        head = file.read(1024)
    if path.suffix.lower() == ".svgz":
        return head.startswith(b"\x1f\x8b")
    return head.startswith(_HEADS) or head[8:12] == b"WEBP" or b"<svg" in head or b"<!DOCTYPE svg" in head
