"""The drawing of a UNet: every block once, nothing overlaps, and what was removed or copied shows."""

import pytest

from nas.reports.layout import Cell, Layout, LineKind, Rectangle, State, lay_out, stage_names
from search_spaces import Architecture, UNetSpace, parse_action
from search_spaces.known.architectures import base_space, bk_sdm_tiny, sd15_space, snapfusion_table3, ssd_1b
from tests.nas.synthetic import shapes_space

SPACES = {"sd-1.5": sd15_space(), "sdxl": base_space("sdxl"), "bundled": shapes_space()}


def apart(one: Rectangle, other: Rectangle, /) -> bool:
    return (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )


def inside(one: Rectangle, outer: Rectangle, /) -> bool:
    right, bottom = outer.x + outer.width, outer.y + outer.height
    return one.x >= outer.x and one.y >= outer.y and one.x + one.width <= right and one.y + one.height <= bottom


def states(layout: Layout, /) -> dict[State, int]:
    return {state: sum(cell.state is state for cell in layout.cells) for state in State}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_every_block_of_the_base_model_is_a_cell_and_nothing_overlaps(space: UNetSpace) -> None:
    layout = lay_out(space.base)
    assert layout.by_block().keys() == space.block_names
    assert len({cell.name for cell in layout.cells}) == len(layout.cells)
    frames, cells = [s.rectangle for s in layout.stages], [c.rectangle for c in layout.cells]
    for rectangles in (frames, cells):
        assert all(apart(one, other) for i, one in enumerate(rectangles) for other in rectangles[:i])
    boxes = {box.stage: box.rectangle for box in layout.stages}
    assert all(inside(cell.rectangle, boxes[cell.stage]) for cell in layout.cells)
    assert all(inside(box, Rectangle(x=0, y=0, width=layout.width, height=layout.height)) for box in frames)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_stages_have_the_names_that_the_space_gives_them(space: UNetSpace) -> None:
    names = stage_names(space.base)
    assert {place: paper for place, (paper, _) in names.items()} == {
        g.place: space.paper_stage(g.place) for g in space.stages
    }
    assert len({title for _, title in names.values()}) == len(names), "and each one that is its own"


def test_it_is_a_u() -> None:
    layout = lay_out(SPACES["sd-1.5"].base)
    boxes = {box.stage: box.rectangle for box in layout.stages}
    for row in range(4):
        down, up = boxes[f"down.{row}"], boxes[f"up.{3 - row}"]
        assert down.y == up.y
        assert down.x + down.width < up.x
    assert boxes["mid"].y > boxes["down.3"].y
    skips = [line for line in layout.lines if line.kind is LineKind.SKIP]
    assert len(skips) == 4
    assert all(line.start[1] == line.end[1] for line in skips)
    assert len(layout.lines) - len(skips) == len(layout.stages) + 1, "an arrow between neighbours, one in, one out"


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_an_action_changes_its_cell_and_moves_none(space: UNetSpace) -> None:
    before = lay_out(space.base)
    assert states(before)[State.KEPT] == len(before.cells)
    for action in (*space.removals(space.base)[:6], *space.copies(space.base)[:6]):
        after = lay_out(space.base, architecture=action.apply(space.base))
        assert [cell.rectangle for cell in after.cells] == [cell.rectangle for cell in before.cells]
        (changed,) = (cell for cell, old in zip(after.cells, before.cells, strict=True) if cell != old)
        assert changed.block == action.blocks[0].block
        assert len(changed.shadows) == max(0, changed.count - changed.own)
        assert changed.label != before.by_block()[changed.block].label or changed.state is State.REMOVED


def cell(architecture: Architecture, base: Architecture, block: str, /) -> Cell:
    return lay_out(base, architecture=architecture).by_block()[block]


def test_published_architectures_can_be_drawn() -> None:
    sd15, sdxl = SPACES["sd-1.5"].base, SPACES["sdxl"].base
    table3 = lay_out(sd15, architecture=snapfusion_table3())
    assert states(table3) == {State.KEPT: 25, State.REMOVED: 10, State.THINNED: 0, State.COPIED: 3}
    thinned = cell(ssd_1b(), sdxl, "cross_attention[down.2,0]")
    assert (thinned.state, thinned.label) == (State.THINNED, "4 of 10")
    assert cell(ssd_1b(), sdxl, "cross_attention[up.0,2]").label == "attn ×10"
    gone = [c for c in lay_out(sd15, architecture=bk_sdm_tiny()).cells if c.stage in ("mid", "down.3")]
    assert {c.state for c in gone} == {State.REMOVED}, "a stage that is not there is drawn as removed"


def test_a_copy_looks_out_behind_its_block() -> None:
    base = SPACES["bundled"].base
    copied = cell(parse_action("+resnet[down.0,1]*2").apply(base), base, "resnet[down.0,1]")
    assert copied.label == "ResNet ×3"
    assert [shadow.x for shadow in copied.shadows] == [copied.rectangle.x + 6, copied.rectangle.x + 3]
