"""Where the hours went: what every worker did when."""

from typing import TYPE_CHECKING, Any, Final

from nas.reports.facts import records
from nas.reports.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    FigureError,
    new_figure,
    note,
    plain,
    styled,
    tidy,
)
from nas.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_WORKERS: Final = 40
PHASES: Final = {"scoring": BLUE, "robust training": ORANGE, "recovery": GREEN, "screening": PURPLE}
OTHERS: Final = (GREY,)
_UNITS: Final = ((2 * 86400.0, 86400.0, "days"), (2 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"))


@styled
def workers(run: Run, /) -> "Figure":
    """Where did the hours go? What every worker did when, and the share of the time that it was busy.

    Raises:
        FigureError: No time was kept.
    """
    times = run.timings()
    if times.empty:
        raise FigureError(
            f"{run.path} keeps no times of its workers: it has no timings.jsonl yet, or is of a version that wrote none"
        )
    begin, end = float(times["start"].min()), float(times["end"].max())
    span, (seconds, unit) = end - begin, _unit(end - begin)
    names = sorted({_worker(name) for name in times["worker"]}, key=lambda name: (len(name), name))
    shown = names[:MAX_WORKERS]
    figure = new_figure(height=1.5 + 0.3 * len(shown), title="What every worker did when")
    axes, handles = tidy(figure.subplots(), grid="x"), {}
    busy: dict[str, float] = dict.fromkeys(shown, 0.0)
    colours = {phase: colour for phase, colour in PHASES.items() if phase in set(times["phase"])}
    for number, phase in enumerate(sorted(set(times["phase"]) - set(PHASES))):
        colours[phase] = OTHERS[number % len(OTHERS)]
    tasks = records(times.sort_values("start"))
    for phase, colour in colours.items():
        for y, name in enumerate(shown):
            own = [task for task in tasks if task["phase"] == phase and _worker(task["worker"]) == name]
            if own:
                pieces = [((task["start"] - begin) / seconds, (task["end"] - task["start"]) / seconds) for task in own]
                busy[name] += sum(task["end"] - task["start"] for task in own)
                label = plain(phase)
                handles[phase] = axes.broken_barh(pieces, (y - 0.36, 0.72), facecolor=colour, linewidth=0, label=label)
    begun: dict[int, float] = {}
    for task in tasks:
        begun.setdefault(int(task["round"]), (task["start"] - begin) / seconds)
    for number, x in begun.items():
        axes.axvline(x, color=INK, linewidth=0.6, linestyle=(0, (4, 2)), alpha=FAINT)
        at: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "xytext": (0, 2), "textcoords": "offset points"}
        axes.annotate(str(number), (x, 1), fontsize=7, **at)
    labels = [f"{name}  {busy[name] / span:.0%} busy" if span > 0 else name for name in shown]
    axes.set_yticks(range(len(shown)), labels, parse_math=False)
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlabel=f"Time since the first task ({unit})")
    figure.legend(handles=[handles[phase] for phase in colours if phase in handles], loc="outside upper right", ncols=4)
    more = f" {len(names) - len(shown)} workers are left out." if len(names) > len(shown) else ""
    note(figure, f"Numbers and dashed lines: a round begins. Gaps: waiting, or work that no worker does.{more}")
    return figure


def _worker(name: object) -> str:
    """What a worker is called; the driver's own work, such as training, has none."""
    return "driver" if name is None or name != name or name == "" else plain(name, most=24)


def _unit(seconds: float) -> tuple[float, str]:
    return next(((size, name) for least, size, name in _UNITS if seconds >= least), (1.0, "seconds"))
