"""How sure the choices were: prompts that each action took, and the chance that each decision was right."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from nas.reports.facts import action_name, block_names, executed, records, score_name
from nas.reports.figures.importance import REMOVES
from nas.reports.style import BLUE, FAINT, GREY, INK, RED, FigureError, beside, boxes, new_figure, note, styled, tidy
from nas.runs.frames.beliefs import rule_of
from nas.runs.frames.decisions import inverse
from nas.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PANELS: Final = 20
MAX_DECISIONS: Final = 60
SURE: Final = 0.95


@styled
def race(run: Run, /) -> "Figure":
    """What did it take to tell actions apart? Prompts that each was scored on, round by round, and what racing saved.

    Raises:
        FigureError: No action is scored yet.
    """
    scored = run.evaluations()
    if scored.empty:
        raise FigureError(f"{run.path} has no scored action yet; draw it again once its first round is scored")
    decided, rounds = executed(run), sorted(scored["round"].unique())
    raced = {event["round"]: event for event in run.events if event["event"] == "race"}
    left_out, shown = max(0, len(rounds) - MAX_PANELS), rounds[:MAX_PANELS]
    num_columns = min(3, len(shown))
    num_rows = -(-len(shown) // num_columns)
    figure = new_figure(height=0.9 + 1.6 * num_rows, title="Prompts that each action was scored on, round by round")
    panels = figure.subplots(num_rows, num_columns, squeeze=False, sharey=True).ravel()
    every = max(int(run.rounds()["num_prompts"].max()), int(scored["num_prompts"].max()))
    for axes, number in zip(panels, shown, strict=False):
        own = scored[scored["round"] == number].sort_values(["num_prompts", "value"], ascending=[False, True])
        chosen = decided.get(number, [])
        is_chosen = [action in chosen or inverse(action) in chosen for action in own["action"]]
        bars = [(x - 0.375, 0, 0.75, num) for x, num in enumerate(own["num_prompts"])]
        for colour, which in ((BLUE, True), (GREY, False)):
            alike = [bar for bar, each in zip(bars, is_chosen, strict=True) if each is which]
            boxes(axes, alike, color=colour, linewidth=0)
        axes.axhline(every, color=INK, linewidth=0.8, linestyle=(0, (4, 2)), alpha=FAINT)
        axes.set_title(_saved(number, raced), fontsize=8, weight="normal", y=1)
        tidy(axes, grid="y").set_xticks([])
        axes.set_xlabel(_counted(len(own), raced.get(number), num_prompts=every))
        axes.set_ylim(0, 1.12 * every)
    for axes in panels[::num_columns]:
        axes.set_ylabel("Prompts")
    for axes in panels[len(shown) :]:
        axes.axis("off")
    more = f" {left_out} later rounds are left out." if left_out else ""
    note(
        figure,
        f"Blue: executed, as a removal or a copy. Dashed: all {every} prompts.\nA race stops scoring an action once it "
        f"is sure to win or to lose, and scores none that could not be chosen.{more}",
    )
    return figure


def _saved(number: int, raced: Mapping[int, Mapping[str, Any]]) -> str:
    """The title of a round's panel: what racing saved of its pictures."""
    if (event := raced.get(number)) is None or not event["num_pictures_exhaustive"]:
        return f"Round {number}"
    share = 1 - event["num_pictures"] / event["num_pictures_exhaustive"]
    return f"Round {number}: {event['num_pictures']:,} pictures, {f'{share:.0%}' if share else 'none'} saved"


def _counted(num: int, race: Mapping[str, Any] | None, *, num_prompts: int) -> str:
    """How many actions were scored, and of how many that the round had where that is more."""
    there = race["num_pictures_exhaustive"] // num_prompts - 1 if race else num
    return f"{num} of {there} actions" if there > num else f"{num} action{'s' if num != 1 else ''}"


@styled
def decisions(run: Run, /) -> "Figure":
    """How likely was each decision right? The chance that an executed action is as good as its runner-up.

    Raises:
        FigureError: Nothing was decided yet, or the scores that the chance is computed from are gone.
    """
    taken = run.decisions()
    taken = taken[taken["action"].notna()]
    if taken.empty:
        raise FigureError(f"{run.path} has executed no action yet; draw it again after its first decision")
    if taken["runner_up"].isna().all():
        raise FigureError(f"{run.path} executed every action that it scored: there was no runner-up to compare with")
    if taken["chance"].isna().all():
        raise FigureError(
            f"{run.path} has no per-prompt scores that tell how likely its decisions were right; they stood in its "
            "`scores`, or in the folder that its setting `score_store` names: put it back"
        )
    left_out, taken = max(0, len(taken) - MAX_DECISIONS), taken.tail(MAX_DECISIONS)
    names, rows = block_names(run), records(taken)
    figure = new_figure(
        height=1.3 + 0.17 * len(rows), title="How likely each action was as good as its runner-up, in their order"
    )
    axes: Axes = figure.subplots()
    axes.axvline(50, color=RED, linewidth=1, linestyle=(0, (4, 2)))
    axes.axvspan(100 * SURE, 100, color=INK, alpha=0.07, linewidth=0)
    told: list[tuple[int, float]] = []
    for y, row in enumerate(rows):
        chance = 100 * row["chance"]
        if chance != chance:
            axes.text(50, y, "  no scores, or no other action", va="center", fontsize=7, alpha=FAINT)
            continue
        told.append((y, chance))
        rival = action_name(row["runner_up"], names=names).removeprefix(REMOVES) if row["runner_up"] else ""
        beside(axes, rival, y=y)
    at, chances = [y for y, _ in told], [chance for _, chance in told]
    axes.hlines(at, 50, chances, color=BLUE, linewidth=1.2, alpha=FAINT)
    axes.plot(chances, at, color=BLUE, marker="o", markersize=4, linestyle="")
    begins = [y == 0 or row["round"] != rows[y - 1]["round"] for y, row in enumerate(rows)]
    labels = [
        (f"round {row['round']}\u2003" if begins[y] else "") + action_name(row["action"], names=names)
        for y, row in enumerate(rows)
    ]
    for y in (y for y, first in enumerate(begins) if first and y):
        axes.axhline(y - 0.5, color=INK, linewidth=0.6, alpha=0.3)
    axes.set_yticks(range(len(rows)), labels, parse_math=False)
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlim=(0, 101.5), xlabel="Chance that it is as good as the runner-up (%)")
    tidy(axes, grid="x")
    axes.set_title("executed", fontsize=7, weight="normal", x=-0.01, ha="right")
    axes.set_title("runner-up", loc="right", fontsize=7, weight="normal", x=1.02, ha="left")
    is_weighed = rule_of(run.config) is not None
    source = "what is believed of the round's losses" if is_weighed else "the paired scores of both on the same prompts"
    cut = f" {left_out} earlier decisions are left out." if left_out else ""
    note(
        figure,
        f"From {source} ({score_name(run)} lost per ms). Shaded: surer than {SURE:.0%}. "
        f"Dashed, 50 %: a coin would do.\nLeft of it the runner-up more often loses less, but costs more where it does "
        f"not: the search goes by the mean.{cut}",
    )
    return figure
