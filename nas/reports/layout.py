"""The drawing of a UNet as rectangles: one layout for the picture in the browser and the one that matplotlib makes.

Down stages go down the left side, mid lies at the bottom, up stages come up the right side, and stages of one
resolution stand in one row, with the skips between them. A column of a stage is a position: its ResNet above, its
cross-attention below. Units are pixels of an SVG; x grows to the right, y downwards. Knows geometry and names: neither
colours, nor scores, nor how anything is drawn.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from search_spaces.actions import GENES
from search_spaces.architecture import Architecture, Stage
from search_spaces.blocks import BlockKind

CELL_WIDTH, CELL_HEIGHT, CELL_GAP = 54.0, 24.0, 4.0
PADDING, HEADER = 6.0, 16.0  # inside a stage: around the cells, and above them for its name
ROW_GAP, INDENT, MIDDLE, MARGIN = 16.0, 14.0, 26.0, 8.0
ENDS: Final = 16.0  # above the outermost stages, for "latent" and "noise"
SHADOW: Final = 3.0  # how far a copy looks out behind its block
MAX_SHADOWS: Final = 2
KINDS: Final = (BlockKind.RESNET, BlockKind.CROSS_ATTENTION)  # the rows of a stage
SHORT: Final[Mapping[BlockKind, str]] = {BlockKind.RESNET: "ResNet", BlockKind.CROSS_ATTENTION: "attention"}
SHORTEST: Final[Mapping[BlockKind, str]] = {BlockKind.RESNET: "ResNet", BlockKind.CROSS_ATTENTION: "attn"}
LONG: Final[Mapping[BlockKind, str]] = {BlockKind.RESNET: "ResNet", BlockKind.CROSS_ATTENTION: "cross-attention"}


class State(StrEnum):
    """What became of a block of the base model."""

    KEPT = "kept"
    REMOVED = "removed"
    THINNED = "thinned"  # a transformer that lost some of its layers
    COPIED = "copied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A place in the drawing, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """The point in its middle."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One block of the base model, and how often the architecture has it.

    Attributes:
        block: As actions name it, such as "cross_attention[up.3,0]".
        kind: ResNet or cross-attention.
        stage: diffusers' place of its stage, such as "up.3".
        paper_stage: SnapFusion's name of the stage, such as "Up-3".
        position: Index in the base model's stage, from 0.
        own: How many of it the base model has: 1, or the depth of a transformer.
        count: How many the architecture has.
        name: For people, counted from 1: "Up-3 cross-attention 1".
        rectangle: Where it is.
    """

    block: str
    kind: BlockKind
    stage: str
    paper_stage: str
    position: int
    own: int
    count: int
    name: str
    rectangle: Rectangle

    @property
    def state(self) -> State:
        """What became of it."""
        if self.count == self.own:
            return State.KEPT
        if self.count == 0:
            return State.REMOVED
        return State.THINNED if self.count < self.own else State.COPIED

    @property
    def label(self) -> str:
        """What stands in it: its kind, and how many where that is not one of one."""
        match self.state:
            case State.COPIED:
                return f"{SHORTEST[self.kind]} ×{self.count}"
            case State.THINNED:
                return f"{self.count} of {self.own}"
            case _:
                return SHORT[self.kind] if self.own == 1 else f"{SHORTEST[self.kind]} ×{self.own}"

    @property
    def shadows(self) -> tuple[Rectangle, ...]:
        """Rectangles behind it, the hindmost first, one for each copy as far as they fit."""
        at = self.rectangle
        shifts = [SHADOW * (1 + i) for i in range(min(self.count - self.own, MAX_SHADOWS))]
        return tuple(Rectangle(x=at.x + by, y=at.y - by, width=at.width, height=at.height) for by in reversed(shifts))


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBox:
    """The frame around a stage's cells; `title` stands in its head: "Up-3", or "Mid (up)" where three count to Mid."""

    stage: str
    paper_stage: str
    title: str
    rectangle: Rectangle


class LineKind(StrEnum):
    """What a line means."""

    FLOW = "flow"  # an arrow: where the features go
    SKIP = "skip"  # from a down stage across to its up stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """From one point to another, in pixels."""

    kind: LineKind
    start: tuple[float, float]
    end: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A UNet as rectangles and lines.

    Attributes:
        width: Of the whole drawing, in pixels.
        height: Of the whole drawing.
        stages: In the order of the forward pass.
        cells: In the order of the forward pass.
        lines: Arrows and skips.
        ends: Texts at the first and last arrow, each with the point that it is centred above.
    """

    width: float
    height: float
    stages: tuple[StageBox, ...]
    cells: tuple[Cell, ...]
    lines: tuple[Line, ...]
    ends: tuple[tuple[str, tuple[float, float]], ...]

    def by_block(self) -> dict[str, Cell]:
        """Cells by the name that actions use."""
        return {cell.block: cell for cell in self.cells}


def lay_out(base: Architecture, /, *, architecture: Architecture | None = None) -> Layout:
    """The drawing of a UNet.

    Args:
        base: The base model's architecture, whose blocks the cells are: a space's `base`, or of a run's first event.
        architecture: One of its space, which says how many of each block are left; None = the base itself.
    """
    now = base if architecture is None else architecture
    counts = {
        (place, position.source, kind): getattr(position, GENES[kind])
        for place, position in now.positions()
        for kind in KINDS
    }
    names, boxes = stage_names(base), _boxes(base)
    stages = tuple(
        StageBox(stage=place, paper_stage=paper_stage, title=title, rectangle=boxes[place])
        for place, (paper_stage, title) in names.items()
    )
    cells = tuple(
        Cell(
            block=f"{kind}[{stage.place},{position.source}]",
            kind=kind,
            stage=stage.place,
            paper_stage=names[stage.place][0],
            position=position.source,
            own=own,
            count=counts.get((stage.place, position.source, kind), 0),
            name=f"{names[stage.place][1]} {LONG[kind]} {position.source + 1}",
            rectangle=_cell(boxes[stage.place], column=column, row=row),
        )
        for stage in base.stages
        for column, position in enumerate(stage.positions)
        for row, kind in enumerate(KINDS)
        if (own := getattr(position, GENES[kind]))
    )
    inputs = _top(boxes[base.stages[0].place]), _top(boxes[base.stages[-1].place])
    return Layout(
        width=max(box.x + box.width for box in boxes.values()) + MARGIN,
        height=max(box.y + box.height for box in boxes.values()) + MARGIN,
        stages=stages,
        cells=cells,
        lines=tuple(_lines(base, boxes)),
        ends=tuple((text, (x, y - ENDS)) for text, (x, y) in zip(("latent", "noise"), inputs, strict=True)),
    )


def stage_names(base: Architecture, /) -> dict[str, tuple[str, str]]:
    """SnapFusion's name of every stage, and one that no other stage has: {"up.0": ("Mid", "Mid (up)")}.

    Innermost stages without cross-attention count to Mid, as in the paper's Table 3 (`UNetShape.paper_stage`).
    """
    names: dict[str, tuple[str, str]] = {}
    innermost = {*[s.place for s in base.stages if s.place.startswith("down")][-1:], "up.0"}
    numbers = dict.fromkeys(("down", "up"), 0)
    for stage in base.stages:
        side = stage.place.partition(".")[0]
        if side == "mid":
            names[stage.place] = ("Mid", "Mid")
        elif stage.place in innermost and stage.num_cross_attentions == 0:
            names[stage.place] = ("Mid", f"Mid ({side})")
        else:
            numbers[side] += 1
            name = f"{side.capitalize()}-{numbers[side]}"
            names[stage.place] = (name, name)
    return names


def _boxes(base: Architecture) -> dict[str, Rectangle]:
    """The frame of every stage."""
    downs, ups = ([s for s in base.stages if s.place.startswith(side)] for side in ("down", "up"))
    left, right = (max(map(_stage_width, stages), default=0.0) for stages in (downs, ups))
    num_rows = max(len(downs), len(ups))
    width = 2 * MARGIN + left + MIDDLE + right + 2 * INDENT * max(0, num_rows - 1)
    boxes, y = {}, MARGIN + 2 * ENDS
    for row in range(num_rows):
        pair = [*downs[row : row + 1], *ups[len(ups) - 1 - row : len(ups) - row]]
        height = max(map(_stage_height, pair))
        for stage in pair:
            own = _stage_width(stage)
            x = MARGIN + row * INDENT if stage in downs else width - MARGIN - row * INDENT - own
            boxes[stage.place] = Rectangle(x=x, y=y, width=own, height=height)
        y += height + ROW_GAP
    for stage in base.stages:
        if stage.place == "mid":
            own, centre = _stage_width(stage), MARGIN + (num_rows - 1) * INDENT + left + MIDDLE / 2
            boxes["mid"] = Rectangle(x=centre - own / 2, y=y, width=own, height=_stage_height(stage))
    return boxes


def _stage_width(stage: Stage) -> float:
    num = max(1, len(stage.positions))
    return 2 * PADDING + num * CELL_WIDTH + (num - 1) * CELL_GAP


def _stage_height(stage: Stage) -> float:
    num = 2 if stage.num_cross_attentions else 1
    return HEADER + PADDING + num * CELL_HEIGHT + (num - 1) * CELL_GAP


def _cell(box: Rectangle, *, column: int, row: int) -> Rectangle:
    return Rectangle(
        x=box.x + PADDING + column * (CELL_WIDTH + CELL_GAP),
        y=box.y + HEADER + row * (CELL_HEIGHT + CELL_GAP),
        width=CELL_WIDTH,
        height=CELL_HEIGHT,
    )


def _top(box: Rectangle) -> tuple[float, float]:
    return box.centre[0], box.y


def _lines(base: Architecture, boxes: Mapping[str, Rectangle]) -> Iterator[Line]:
    """Arrows from stage to stage, and the skips between them."""
    places = [stage.place for stage in base.stages]
    x, y = _top(boxes[places[0]])
    yield Line(kind=LineKind.FLOW, start=(x, y - ENDS), end=(x, y))
    for place, following in pairwise(places):
        one, other = boxes[place], boxes[following]
        if following.startswith("down"):
            x = other.centre[0]
        elif following == "mid":
            x = max(one.centre[0], other.x + 2 * PADDING)
        else:
            x = min(other.centre[0], one.x + one.width - 2 * PADDING)
        downwards = other.y > one.y
        start, end = (one.y + one.height, other.y) if downwards else (one.y, other.y + other.height)
        if one.y != other.y:  # without a mid block, the innermost skip is the way
            yield Line(kind=LineKind.FLOW, start=(x, start), end=(x, end))
    x, y = _top(boxes[places[-1]])
    yield Line(kind=LineKind.FLOW, start=(x, y), end=(x, y - ENDS))
    downs, ups = ([place for place in places if place.startswith(side)] for side in ("down", "up"))
    for down, up in zip(downs, reversed(ups), strict=False):
        one, other = boxes[down], boxes[up]
        yield Line(kind=LineKind.SKIP, start=(one.x + one.width, one.centre[1]), end=(other.x, one.centre[1]))
