"""The cost law of a round, checked by a simulated pool: where do workers wait for the driver, or for each other?

    python -m experiments.benchmarks.cost_law [OUT.png]

A round is the real race (`nas.racing.race`) over 38 removals on 2,000 prompts in chunks of 8, with losses from a
generator; what is simulated is time: W workers that take TASK_S for a chunk, one in eight of them a tenth longer, and
a driver that takes DRIVER_S for each answer before its worker gets the next task, as `nas.workers.ray_pool` does it. A
look of a race ends when its last task does, and the reference is scored before the first look. Exhaustive scoring is
one look.

TASK_S is 8 prompts of published pictures. SD-1.5 at 512 x 512, 50 steps, A100: 1.60 s
(fal-ai/stable-diffusion-benchmarks, "Diffusers, torch 2.1, SDPA"); the same on A10: 2.95 s (Deci/DeciDiffusion-v1-0,
"PyTorch"); SDXL at 1024 x 1024, 30 steps, A100: 3.31 s (PyTorch's blog, "Accelerating Generative AI, part III",
bfloat16 and SDPA). DRIVER_S is above what `experiments.benchmarks.search_at_size` measured.
"""

import heapq
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import NullLocator

from nas.racing.race import Race
from nas.racing.settings import RacingSettings
from nas.reports.style import INK, SERIES, SERIES_MARKERS, new_figure, note, styled, tidy
from nas.reports.writing import write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_ACTIONS, NUM_PROMPTS, CHUNK_SIZE, NUM_PLACES = 38, 2000, 8, 7
WORKERS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
DRIVER_S: Final = 0.005
STROKES: Final = {"every prompt": "-", "raced": "--"}
TICKS: Final = (0.1, 1, 10, 100)
PICTURE_S: Final = {"SD-1.5, A100, 50 steps": 1.604, "SD-1.5, A10, 50 steps": 2.95, "SDXL, A100, 30 steps": 3.31}


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A simulated round: its wall time, what its workers did of it, and how busy the driver was."""

    seconds: float
    busy_share: float
    driver_share: float


def looks(*, raced: bool, seed: int = 0) -> list[int]:
    """Tasks of each phase of a round: of the reference, then of every look."""
    rng = np.random.default_rng(seed)
    num_chunks = -(-NUM_PROMPTS // CHUNK_SIZE)
    if not raced:
        return [num_chunks, num_chunks * NUM_ACTIONS]
    means = rng.exponential(0.01, NUM_ACTIONS)
    losses = means[:, None] + rng.normal(0, 0.02, (NUM_ACTIONS, NUM_PROMPTS))
    race = Race(
        dict.fromkeys(range(NUM_ACTIONS), 1.0),
        num_prompts=NUM_PROMPTS,
        chunk_size=CHUNK_SIZE,
        num_places=NUM_PLACES,
        settings=RacingSettings(),
    )
    phases, done = [num_chunks], 0
    while not race.finished:
        look = race.next_look()
        chunks = -(-look.num_prompts // CHUNK_SIZE)
        phases.append((chunks - done) * len(look.contestants))
        race.observe({index: losses[index, : look.num_prompts].tolist() for index in look.contestants})
        done = chunks
    return phases


def simulated(phases: Sequence[int], /, *, num_workers: int, task_s: float, driver_s: float = DRIVER_S) -> Round:
    """A round's time: tasks are given out as workers answer, phases one after the other."""
    now, worked, served = 0.0, 0.0, 0.0
    durations = _durations(task_s)
    for num_tasks in phases:
        left, answers, driver = num_tasks, list[float](), now
        while left and len(answers) < num_workers:
            lasts = next(durations)
            heapq.heappush(answers, now + lasts)
            worked, left = worked + lasts, left - 1
        while answers:
            driver = max(driver, heapq.heappop(answers)) + driver_s
            served += driver_s
            if left:
                lasts = next(durations)
                heapq.heappush(answers, driver + lasts)
                worked, left = worked + lasts, left - 1
        now = driver
    return Round(seconds=now, busy_share=worked / (now * num_workers), driver_share=served / now)


def law(phases: Sequence[int], /, *, num_workers: int, task_s: float, driver_s: float = DRIVER_S) -> float:
    """Seconds of a round by the law of docs/cost.md: whole waves of every phase, or the driver where it is slower."""
    return sum(max(-(-num // num_workers) * (task_s + driver_s), num * driver_s + task_s) for num in phases)


def _durations(task_s: float) -> Iterator[float]:
    number = 0
    while True:
        number += 1
        yield task_s * (1.1 if number % 8 == 0 else 1.0)


def main() -> None:
    """Print a table per model, and draw it."""
    found: dict[str, dict[str, list[Round]]] = {}
    for name, picture_s in PICTURE_S.items():
        found[name] = {}
        for raced in (False, True):
            phases, task_s = looks(raced=raced), CHUNK_SIZE * picture_s
            way = "raced" if raced else "every prompt"
            found[name][way] = [simulated(phases, num_workers=num, task_s=task_s) for num in WORKERS]
            print(f"\n{name}, {way}: {sum(phases):,} tasks in {len(phases)} phases of {task_s:.1f} s")
            print(f"{'workers':>8} {'round':>10} {'by the law':>10} {'busy':>6} {'driver':>6}")
            for num, each in zip(WORKERS, found[name][way], strict=True):
                by_law = law(phases, num_workers=num, task_s=task_s)
                hours, lawful = each.seconds / 3600, by_law / 3600
                print(f"{num:>8} {hours:>8.2f} h {lawful:>8.2f} h {each.busy_share:>6.0%} {each.driver_share:>6.0%}")
    if len(sys.argv) > 1:
        write_figure(drawn(found), Path(sys.argv[1]))


@styled
def drawn(found: dict[str, dict[str, list[Round]]], /) -> "Figure":
    """Hours of a round, and the share of the workers' time that is work, against workers."""
    figure = new_figure(height=3.2, title="More workers: hours of a round, and how much of their time is work")
    hours, busy = figure.subplots(1, 2)
    for (name, ways), colour, marker in zip(found.items(), SERIES, SERIES_MARKERS, strict=False):
        for way, style in STROKES.items():
            label = name if way == "every prompt" else None
            look = {"color": colour, "linestyle": style, "marker": marker, "markersize": 3}
            hours.plot(WORKERS, [each.seconds / 3600 for each in ways[way]], **look, label=label)
    (name, ways), *_ = found.items()
    for way, style in STROKES.items():
        shares = [100 * each.busy_share for each in ways[way]]
        busy.plot(WORKERS, shares, style, color=INK)
        at = {"xytext": (-5, -5), "textcoords": "offset points", "ha": "right", "va": "top"}
        busy.annotate(way, (WORKERS[-2], shares[-2]), **at)
    hours.set(xscale="log", yscale="log", xlabel="Workers", ylabel="Time of a round (hours)", ylim=(0.02, 120))
    busy.set(xscale="log", xlabel="Workers", ylabel="Workers' time that is work (%)", ylim=(0, 105))
    for axes in (hours, busy):
        tidy(axes, grid="y")
        axes.set_xticks(WORKERS, [str(num) for num in WORKERS])
        axes.xaxis.set_minor_locator(NullLocator())
    hours.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    hours.legend(loc="lower left")
    note(figure, f"Lines: every prompt; dashed: raced. Right: {name}; the others lie within a line's width of it.")
    return figure


if __name__ == "__main__":
    main()
