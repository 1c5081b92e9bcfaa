"""Students against their baselines: who is ahead of whom, at which guidance, and what is said of it."""

from pathlib import Path

import pytest

from experiments.distillation.few_steps import (
    BASE,
    BEFORE,
    DDIM,
    STUDENT,
    WHOLE_STEPS,
    best,
    page_of,
    rows_of,
    students_of,
)
from nas.curves.points import Curves, Point
from nas.distillation.steps.job import load_steps_config
from nas.metrics.estimate import jackknifed
from nas.pipelines.protocol import SamplingProtocol, SchedulerName
from search_spaces.files.user_error import UserError

DPM: SchedulerName = "DPMSolverMultistepScheduler"


def point(model: str, scheduler: SchedulerName, steps: int, guidance: float, *, clip: float, kid: float) -> Point:
    """Numbers of two captions, of which the second is harder by 0.2 for everybody."""
    return Point(
        model=model,
        protocol=SamplingProtocol(scheduler=scheduler, num_steps=steps, guidance_scale=guidance),
        num_passes=steps if guidance == 1 else 2 * steps,
        is_baseline=False,
        numbers={
            "clip": jackknifed(clip, [clip - 0.1, clip + 0.1], num_made=2),
            "kid": jackknifed(kid, [kid - 0.1, kid + 0.1], num_made=2),
        },
    )


CURVES = Curves(
    points=(
        point(STUDENT, DDIM, 2, 1.0, clip=0.6, kid=0.002),
        point(STUDENT, DDIM, 2, 2.0, clip=0.7, kid=0.003),
        point(BEFORE, DDIM, 2, 1.0, clip=0.4, kid=0.005),
        point(BEFORE, DPM, 2, 1.0, clip=0.5, kid=0.001),
        point(BASE, DDIM, WHOLE_STEPS, 2.0, clip=0.8, kid=0.000),
        point(STUDENT, DDIM, 4, 2.0, clip=0.75, kid=0.001),
    ),
    score="clip",
    higher_is_better=True,
    features="clip:x",
    left_out=(),
)


def test_a_student_is_ahead_by_more_of_the_score_and_less_of_the_distance_at_each_ones_best_guidance() -> None:
    rows = rows_of([CURVES]).set_index(["student", "model", "scheduler", "by"])["ahead"].round(6).to_dict()
    assert rows == {
        (2, STUDENT, DDIM, "clip"): 0.0,
        (2, BEFORE, DDIM, "clip"): 0.3,
        (2, BEFORE, DPM, "clip"): 0.2,
        (2, BASE, DDIM, "clip"): -0.1,
        (2, STUDENT, DDIM, "kid"): 0.0,
        (2, BEFORE, DDIM, "kid"): 0.003,
        (2, BEFORE, DPM, "kid"): -0.001,
        (2, BASE, DDIM, "kid"): -0.002,
        (4, BASE, DDIM, "clip"): -0.05,
        (4, STUDENT, DDIM, "clip"): 0.0,
        (4, BASE, DDIM, "kid"): -0.001,
        (4, STUDENT, DDIM, "kid"): 0.0,
    }


def test_what_makes_a_caption_hard_for_all_widens_no_difference() -> None:
    rows = rows_of([CURVES])
    assert (rows["high"] - rows["low"]).min() > 0.1
    assert (rows["ahead_high"] - rows["ahead_low"]).abs().max() < 1e-9


def test_the_best_guidance_is_each_measures_own() -> None:
    points = [each for each in CURVES.points if each.curve == (STUDENT, DDIM, 2)]
    assert [best(points, by=by)[1] for by in ("clip", "kid")] == [2.0, 1.0]


def test_the_page_has_a_table_for_each_student_and_a_thousandfold_kid() -> None:
    page = page_of(rows_of([CURVES]))
    assert "| student, DDIM 2 | 4 | 0.700 at 2 |  | 2.000 at 1 |  |" in page
    assert (
        "| before, DPM++ 2 | 2 | 0.500 at 1 | +0.200 [+0.200, +0.200] | 1.000 at 1 | -1.000 [-1.000, -1.000] |" in page
    )
    assert page.count("| base, DDIM 50 | 100 |") == 2


def test_students_are_found_by_their_steps_and_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no student in "):
        students_of(tmp_path)
    for place in ("1-student-v", "2-student-8", "3-student-4"):
        (tmp_path / "stages" / place / "pipeline").mkdir(parents=True)
    assert [*students_of(tmp_path)] == [8, 4]


def test_the_shipped_distillation_gives_students_of_four_and_of_two_steps() -> None:
    config = load_steps_config("experiments/distillation/few_steps.yaml")
    assert config.all_steps == (8, 4, 2)
