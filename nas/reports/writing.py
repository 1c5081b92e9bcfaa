"""A figure as a file, or as an element of a page: its ink takes the colour that the ground asks for."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from latency.figures.canvas import check_picture
from nas.reports.style import INK, settings
from search_spaces.files.durable.writing import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIGHT_INK: Final = "#e8e8ea"
DARK_GROUND: Final = "#16161a"
DPI: Final = 150
_DATES: Final = {"svg": "Date", "svgz": "Date", "pdf": "CreationDate"}
_NAMESPACES: Final = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
_COLOURS: Final = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


class Ground(StrEnum):
    """What a picture is made for."""

    WHITE = "white"
    DARK = "dark"
    NONE = "none"


def svg_of(figure: "Figure", /, *, name: str, alt: str = "") -> str:
    """A figure as an element of an HTML page: its text is text, in the page's own colour, on the page's ground.

    Args:
        figure: Any of `nas.reports.figures`.
        name: Stands before every id in it, so that a page may hold many; letters, digits and dashes.
        alt: What it shows, for those who do not see it; "" = its title.
    """
    with settings(), _laid_out(figure), io.StringIO() as file:
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
        text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text).replace("url(#", f"url(#{name}-").replace(INK, "currentColor")
    width, height = (72 * inches for inches in figure.get_size_inches())
    said = escape(alt or title_of(figure))
    size = f'viewBox="0 0 {width:g} {height:g}" style="width: 100%; max-width: {width:g}pt"'
    head = f'<svg {_NAMESPACES} role="img" aria-label="{said}" {size}>'
    return re.sub(r"<svg\b[^>]*>", lambda _: head, text, count=1)


def title_of(figure: "Figure", /) -> str:
    """What a figure says above itself."""
    return figure.get_suptitle() or next((axes.get_title(loc="left") for axes in figure.axes), "")


def picture_of(figure: "Figure", /, *, form: str = "png", ground: Ground = Ground.WHITE, dpi: int = DPI) -> bytes:
    """A figure as the content of a picture file.

    Args:
        figure: Any of `nas.reports.figures`.
        form: "png", "svg", "pdf", or what else matplotlib writes.
        ground: White, dark with light ink, or none.
        dpi: Dots per inch of a PNG.
    """
    colour = {Ground.WHITE: "white", Ground.DARK: DARK_GROUND, Ground.NONE: "none"}[ground]
    undated = {_DATES[form]: None} if form in _DATES else {}  # the same figure makes the same bytes
    ink = LIGHT_INK if ground is Ground.DARK else INK
    with settings(), _inked(figure, ink), io.BytesIO() as file:
        figure.savefig(file, dpi=dpi, format=form, facecolor=colour, metadata=undated)
        return file.getvalue()


def write_figure(figure: "Figure", path: Path, /, *, ground: Ground = Ground.WHITE, dpi: int = DPI) -> None:
    """Write a figure as a picture of the format that the path's ending says, whole or not at all.

    Args:
        figure: Any of `nas.reports.figures`.
        path: Such as "importance.png", ".svg" or ".pdf".
        ground: White, dark with light ink, or none.
        dpi: Dots per inch of a PNG.

    Raises:
        PictureError: The path's ending is that of no picture.
        PlaceError: What stands there is no picture.
        StorageError: The disk refuses; `path` is as it was.
    """
    check_picture(path)
    content = picture_of(figure, form=path.suffix.removeprefix(".").lower(), ground=ground, dpi=dpi)
    with whole(path) as part:
        part.write_bytes(content)


@contextmanager
def _laid_out(figure: "Figure") -> Iterator[None]:
    """A figure whose parts are placed once, as an SVG has them: saving would otherwise draw all of it for that."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    engine, canvas, dpi = figure.get_layout_engine(), figure.canvas, figure.get_dpi()
    if engine is not None:
        FigureCanvasSVG(figure)  # measures text as its file will
        figure.set_dpi(FigureCanvasSVG.fixed_dpi)
        engine.execute(figure)
        figure.set_layout_engine(None)
    try:
        yield
    finally:
        figure.set_layout_engine(engine)
        figure.set_dpi(dpi)
        figure.set_canvas(canvas)


@contextmanager
def _inked(figure: "Figure", ink: str) -> Iterator[None]:
    """A figure whose ink is of another colour for a while."""
    undo: list[tuple[Callable[[Any], None], Any]] = []
    if ink != INK:
        figure.draw_without_rendering()  # matplotlib makes ticks when it first draws
        for artist in figure.findobj():
            for name in _COLOURS:
                undo += _recoloured(artist, name, ink)
    try:
        yield
    finally:
        for put, before in reversed(undo):
            put(before)


def _recoloured(artist: Any, name: str, ink: str) -> list[tuple[Callable[[Any], None], Any]]:
    """Give one colour of an artist the new ink, where it is ink; how to undo that."""
    from matplotlib.colors import to_rgb, to_rgba_array

    get, put = getattr(artist, f"get_{name}", None), getattr(artist, f"set_{name}", None)
    if get is None or put is None:
        return []
    before = get()
    colours = to_rgba_array(before)
    inked = (abs(colours[:, :3] - to_rgb(INK)) < 1 / 512).all(axis=1)
    if not inked.any():
        return []
    colours[inked, :3] = to_rgb(ink)
    put(colours if isinstance(before, type(colours)) and before.ndim == 2 else tuple(colours[0]))
    return [(put, before)]
