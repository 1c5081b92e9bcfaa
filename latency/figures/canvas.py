"""Where figures come from: matplotlib, which the extra `plots` brings."""

from pathlib import Path
from typing import TYPE_CHECKING

from latency.exporters.extras import load_extra
from search_spaces.files.durable.writing import whole
from search_spaces.files.replacing import check_replaceable, is_picture
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PictureError(UserError):
    """A picture of a format that cannot be written."""


def check_picture(path: Path, /) -> None:
    """Check that a figure can be drawn to a path, before hours are spent on what it shows.

    Raises:
        MissingExtraError: matplotlib is not installed.
        PictureError: The path's ending is that of no picture.
        PlaceError: What stands there is no picture.
        StorageError: The disk refuses.
    """
    known = sorted(new_figure(width=1, height=1).canvas.get_supported_filetypes())
    if path.suffix.removeprefix(".").lower() not in known:
        raise PictureError(f"a picture must end in one of .{', .'.join(known)}, but got {path.name}")
    check_replaceable(path, is_picture, kind="a picture")


def write_figure(figure: "Figure", path: Path, /) -> None:
    """Write a figure as a picture, whole or not at all.

    Raises:
        PictureError: The path's ending is that of no picture.
        StorageError: The disk refuses; `path` is as it was.
    """
    check_picture(path)
    with whole(path) as part:
        figure.savefig(part, dpi=150, format=path.suffix.removeprefix(".").lower())


def new_figure(*, width: float, height: float) -> "Figure":
    """An empty figure that no window manager knows of.

    Args:
        width: In inches.
        height: In inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure: Figure = load_extra("matplotlib.figure", extra="plots").Figure(
        figsize=(width, height), layout="constrained"
    )
    return figure
