"""A student against its baselines at equal steps, and against the base model at 50.

    python -m experiments.distillation.few_steps runs/few-steps --before runs/demo --pictures runs/shapes/real

Every stage of a step distillation gives a student. Beside it are drawn, in as many steps, the UNet that it began as by
DDIM, DPM-Solver++ and UniPC. Each is judged where it is at its best over the guidance scales: the highest CLIP score,
the lowest KID; differences are paired by captions. OUT gets `few_steps.csv` and `few_steps.md`.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import pandas as pd
import torch
import typer

import nas
from experiments.command import run
from nas.curves.asked.reading import made_of, with_whole_paths
from nas.curves.figure import SHORT
from nas.curves.points import Curves, Point
from nas.metrics.estimate import Estimate, difference
from nas.pipelines.protocol import SchedulerName
from search_spaces.files.durable.writing import write_text
from search_spaces.files.user_error import UserError

STUDENT: Final = "student"
BASE: Final = "base"
BEFORE: Final = "before"
WHOLE_STEPS: Final = 50
DDIM: Final[SchedulerName] = "DDIMScheduler"
SCHEDULERS: Final[tuple[SchedulerName, ...]] = (DDIM, "DPMSolverMultistepScheduler", "UniPCMultistepScheduler")
UNITS: Final[Mapping[str, float]] = {"clip": 1.0, "kid": -1000.0}  # times this, more is better
STAGE_FOLDERS: Final = "stages/*-student-*/pipeline"


def students_of(folder: Path, /) -> dict[int, Path]:
    """The pipeline folder of each student of a distillation, by its steps.

    Raises:
        UserError: There is none.
    """
    places = [(place.parent.name.rpartition("-")[2], place) for place in sorted(folder.glob(STAGE_FOLDERS))]
    found = {int(steps): place for steps, place in places if steps.isdecimal()}  # a conversion to v has no steps
    if not found:
        raise UserError(f"no student in {folder}; `nas distill steps CONFIG --out {folder}` makes them")
    return found


def best(points: Sequence[Point], /, *, by: str) -> tuple[Estimate, float]:
    """The best number over guidance scales, and the scale: the highest CLIP score, the lowest KID."""
    found = max(points, key=lambda point: UNITS[by] * point.numbers[by].value)
    return found.numbers[by], found.protocol.guidance_scale


def rows_of(several: Sequence[Curves], /) -> pd.DataFrame:
    """A row for each way to draw and measure: its number, and how far each student of as many steps is ahead of it.

    Columns: model, scheduler, steps, passes (of the UNet, at its best guidance), by, value, low, high, guidance; of the
    students: student (steps), ahead, ahead_low, ahead_high, of which KID counts downwards. The base model in 50 steps
    has a row for every student.
    """
    points = [point for curves in several for point in curves.points]
    ways = {key: [point for point in points if point.curve == key] for key in dict.fromkeys(p.curve for p in points)}
    students = {key[2]: key for key in ways if key[0] == STUDENT}
    rows = list[dict[str, object]]()
    for steps, student in students.items():
        for by, unit in UNITS.items():
            own, _ = best(ways[student], by=by)
            for key in [key for key in ways if key[2] in (steps, WHOLE_STEPS)]:
                number, guidance = best(ways[key], by=by)
                ahead = difference(own, number) if unit > 0 else difference(number, own)
                passes = next(p.num_passes for p in ways[key] if p.protocol.guidance_scale == guidance)
                rows.append(
                    {"student": steps, "model": key[0], "scheduler": key[1], "steps": key[2], "passes": passes,
                     "by": by, "value": number.value, "low": number.low, "high": number.high, "guidance": guidance,
                     "ahead": ahead.value, "ahead_low": ahead.low, "ahead_high": ahead.high}
                )  # fmt: skip
    return pd.DataFrame(rows)


def page_of(rows: pd.DataFrame, /) -> str:
    """The same in Markdown, a table for each student."""
    parts = list[str]()
    for steps, own in rows.groupby("student", sort=False):
        columns = "| drawn by | passes | CLIP | student ahead by | 1,000 KID | student ahead by |"
        parts += [f"\n### {steps} steps\n", columns, "|---|---:|---:|---:|---:|---:|"]
        for (model, scheduler, num), way in own.groupby(["model", "scheduler", "steps"], sort=False):
            cells = [_cells(row) for row in way.to_dict("records")]
            passes = way[way["by"] == "clip"]["passes"].iloc[0]
            parts.append(f"| {model}, {SHORT[str(scheduler)]} {num} | {passes} | {' | '.join(cells)} |")
    return "\n".join(parts).strip() + "\n"


def _cells(row: Mapping[Hashable, Any], /) -> str:
    unit = abs(UNITS[row["by"]])
    told = f"{unit * row['value']:.3f} at {row['guidance']:g}"
    if row["model"] == STUDENT:
        return f"{told} | "
    ahead, low, high = (f"{unit * row[name]:+.3f}" for name in ("ahead", "ahead_low", "ahead_high"))
    return f"{told} | {ahead} [{low}, {high}]"


def main(
    distilled: Annotated[Path, typer.Argument(help="what `nas distill steps` gave")],
    before: Annotated[str, typer.Option(help="what the student began as: a run or a folder")],
    pictures: Annotated[Path, typer.Option(help="real pictures with captions")],
    base: Annotated[str, typer.Option(help="drawn in 50 steps")] = "shapes",
    out: Annotated[Path | None, typer.Option(help="folder of everything; default DISTILLED/few-steps")] = None,
    num: Annotated[int, typer.Option(help="captions")] = 128,
    num_pictures: Annotated[int, typer.Option(help="real pictures")] = 512,
    guidance: Annotated[list[float], typer.Option(help="scales of few steps")] = [1.0, 2.0, 3.0],  # noqa: B006
    guidance_of_base: Annotated[list[float], typer.Option(help="scales of 50 steps")] = [2.0],  # noqa: B006
) -> None:
    """Draw what is missing, and print how far the students are ahead."""
    torch.set_num_threads(1)
    out = out or distilled / "few-steps"
    wanted = {"clip": {"model": "shapes"}, "captions": "shapes", "pictures": str(pictures), "num_captions": num,
              "num_pictures": num_pictures, "metrics": ["kid"], "baselines": False}  # fmt: skip
    asked = made_of(with_whole_paths(wanted, folder=Path.cwd()), name="what is drawn")
    several = list[Curves]()

    def draw(name: str, place: str, *, steps: int, by: tuple[SchedulerName, ...], scales: list[float]) -> None:
        settings = replace(asked, steps=(steps,), schedulers=by, guidance=tuple(scales))
        where = out / f"{name}-{steps}"
        several.append(
            nas.run_evaluation((place,), settings=settings, out=where, store=out / "evaluations", names=(name,))
        )

    for steps, student in students_of(distilled).items():
        draw(STUDENT, str(student), steps=steps, by=(DDIM,), scales=guidance)
        draw(BEFORE, before, steps=steps, by=SCHEDULERS, scales=guidance)
    draw(BASE, base, steps=WHOLE_STEPS, by=(DDIM,), scales=guidance_of_base)
    rows = rows_of(several)
    write_text(out / "few_steps.csv", rows.to_csv(index=False))
    write_text(out / "few_steps.md", page := page_of(rows))
    print(page)


if __name__ == "__main__":
    run(main)
