"""The drawing of the UNet: what became of each block, at once and round by round."""

from typing import TYPE_CHECKING, Final

from nas.reports.facts import architectures, base_of, executed, found_round, round_rows, score_name, start_of
from nas.reports.figures.network.cells import large, of_round, of_state, put
from nas.reports.layout import State, lay_out
from nas.reports.style import WIDTH, digits, new_figure, note, styled
from nas.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PANELS: Final = 24


@styled
def unet(run: Run, /) -> "Figure":
    """What is left of the UNet? Its drawing: removed blocks are empty and hatched, copies stand behind their block.

    Raises:
        FigureError: No round is scored yet, or the search is not over UNets.
    """
    every = architectures(run)
    last = max(every)
    number = found_round(run) if found_round(run) in every else last
    base, architecture = base_of(run), every[last if number is None else number]
    layout = lay_out(base, architecture=architecture)
    which = "what was found" if run.is_finished else f"the UNet in round {last}, the last that was scored"
    figure, axes = large(layout, title=f"{which[0].upper()}{which[1:]}, block by block")
    put(axes, layout, look=of_state)
    gone = sum(cell.state is State.REMOVED for cell in layout.cells)
    copied = sum(cell.state is State.COPIED for cell in layout.cells)
    note(
        figure,
        f"Blue: ResNets. Orange: cross-attentions. Hatched: removed, {gone} of {len(layout.cells)} blocks. "
        f"Stacked: copied, {copied}.\nDotted: skips. A removed ResNet keeps its shortcut.",
    )
    return figure


@styled
def evolution(run: Run, /) -> "Figure":
    """What went when? The UNet once a round, with the blocks that then left or were copied.

    Raises:
        FigureError: No round is scored yet, or the search is not over UNets.
    """
    every, base, decided = architectures(run), base_of(run), executed(run)
    rounds = round_rows(run)
    shown = sorted(every)
    left_out = 0
    if len(shown) > MAX_PANELS:
        left_out = len(shown) - MAX_PANELS
        shown = [*shown[: MAX_PANELS // 2], *shown[-MAX_PANELS // 2 :]]
    layout = lay_out(base)
    num_columns = min(len(shown), 3 if len(shown) <= 9 else 4)
    num_rows = -(-len(shown) // num_columns)
    width = WIDTH / max(num_columns, 2)
    height = num_rows * (width * layout.height / layout.width + 0.35) + 0.9
    figure = new_figure(height=height, title="Which blocks left, and which were copied, round by round")
    panels = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    target, found = start_of(run)["target_latency_ms"], found_round(run)
    for axes, number in zip(panels, shown, strict=False):
        put(axes, lay_out(base, architecture=every[number]), look=of_round(decided.get(number, [])), small=True)
        ms, score = (rounds[number][name] for name in ("predicted_latency_ms", run.score))
        name = f"Round {number}" + (", found" if number == found else "")
        axes.set_title(f"{name}\n{digits(ms)} ms, {score_name(run)} {score:.3f}", fontsize=8, weight="normal", y=1)
    for axes in panels[len(shown) :]:
        axes.axis("off")
    skipped = f" {left_out} rounds in the middle are left out." if left_out else ""
    note(
        figure,
        f"Blue: ResNets; orange: cross-attentions; empty: gone before. Red, −: leaves after this round; green, +: is "
        f"copied.\nLatencies are predicted; the target is {digits(target)} ms.{skipped}",
    )
    return figure
