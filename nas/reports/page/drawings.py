"""Figures of a run in its page: matplotlib's SVG, each with ids of its own; one that a run cannot give is left out."""

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from latency.exporters.extras import MissingExtraError
from nas.reports.page.values import Figure
from nas.runs.run import Run
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

# What the page does not draw itself, in the order in which a reader asks for it.
NAMES: Final = (
    "tradeoff",
    "stages",
    "importance",
    "decisions",
    "evolution",
    "race",
    "training",
    "recovery",
    "workers",
    "calibration",
)

_PLACES: Final = re.compile(r' (?:d|points|transform|viewBox|x|y|x1|x2|y1|y2|width|height|style)="[^"]*"')


def figures_of(*runs: Run, names: Iterable[str] = NAMES) -> tuple[tuple[Figure, ...], tuple[str, ...]]:
    """Figures of a run, or of several, and notices of what keeps all of them away.

    Args:
        runs: The run, or several; what they lack costs the figures that show it.
        names: Of `nas.reports.figures.FIGURES`.
    """
    from nas.reports.figures import FIGURES
    from nas.reports.writing import svg_of

    figures = []
    for name in names:
        try:
            drawn = FIGURES[name].draw(*runs)
        except MissingExtraError as error:
            return (), (f"There are no figures: {error}",)
        except UserError:  # it says what the run lacks, which `nas plot` tells whoever asks for this one
            continue
        title = _taken_title(drawn) or FIGURES[name].sentence
        svg = svg_of(drawn, name=f"figure-{name}", alt=title)
        figures.append(Figure(name=name, title=title, svg=slim(svg, name=name)))
    return tuple(figures), ()


def _taken_title(drawn: "Drawn") -> str:
    """What a figure says above itself, which the page then says instead."""
    title = drawn.get_suptitle()
    drawn.suptitle("")
    return title


def slim(svg: str, /, *, name: str) -> str:
    """The same SVG in a third of the characters. What is read stays as it is.

    Places are to a hundredth of a point; what many elements look like is said once, in classes; ids that nothing refers
    to go, and groups that then say nothing.

    Args:
        svg: As `svg_of` makes it.
        name: Of the figure; its classes begin with it.
    """
    referred = set(re.findall(r"#([\w.-]+)", svg))
    text = _without_bare_groups(re.sub(r"<[^>]*>", lambda found: _slim_tag(found[0], referred), svg))
    looks: dict[str, str] = {}

    def classed(found: re.Match[str]) -> str:
        clip = re.search(r' clip-path="([^"]*)"', found[0])
        style = re.search(r' style="([^"]*)"', found[0])
        rules = "; ".join(each[1] for each in (style,) if each) + (f"; clip-path: {clip[1]}" if clip else "")
        own = looks.setdefault(rules, f"{name}-{len(looks)}")
        bare = re.sub(r' (?:clip-path|style)="[^"]*"', "", found[0])
        end = "/>" if bare.endswith("/>") else ">"
        return f'{bare.removesuffix(end)} class="{own}"{end}'

    head = text.index(">") + 1  # the figure's own size stays with it
    body = re.sub(r'<(?:path|use|text|tspan)\b[^>]* style="[^"]*"[^>]*>', classed, text[head:])
    sheet = "".join(f".{own}{{{rules}}}" for rules, own in looks.items())
    return f"{text[:head]}<style>{sheet}</style>" + re.sub(r"\n\s*", "\n", body)


def _slim_tag(tag: str, referred: Collection[str]) -> str:
    """A tag without ids that nothing refers to and turns by nothing; what stands between tags is left alone."""
    tag = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in referred else "", tag)
    return _PLACES.sub(lambda found: _short(found[0]), re.sub(r' transform="rotate\(-0 [^)]*\)"', "", tag))


def _short(attribute: str) -> str:
    """Numbers of an attribute in fewer digits, and the parts of a path without blanks between them."""
    text = re.sub(r"(\d\.\d\d)\d+", r"\1", attribute)
    if not text.startswith(' d="'):
        return text
    text = re.sub(r"\.(?!\d)", "", re.sub(r"(\.\d*?)0+(?!\d)", r"\1", text))
    return ' d="' + re.sub(r"\s*([A-Za-z])\s*", r"\1", text[4:])


def _without_bare_groups(text: str) -> str:
    """The same without groups that have no attribute."""
    kept, parts, at = list[bool](), list[str](), 0
    for found in re.finditer(r"<g\b[^>]*>|</g>", text):
        is_kept = kept.pop() if found[0] == "</g>" else found[0] != "<g>"
        if found[0] != "</g>":
            kept.append(is_kept)
        parts += [text[at : found.start()], found[0] if is_kept else ""]
        at = found.end()
    return "".join([*parts, text[at:]])
