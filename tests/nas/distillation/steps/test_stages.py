"""The stages of a step distillation, and what settings are refused."""

from typing import Any

import pytest

from nas.distillation.steps.settings import StepDistillationConfig
from nas.distillation.steps.stages import stages_of
from nas.settings import read

V, EPSILON = "v_prediction", "epsilon"


def config(**values: Any) -> StepDistillationConfig:
    training = {"pictures": "pictures", "iterations": 10}
    return read(StepDistillationConfig, {"model": "shapes", "training": training, **values}, name="a test")


def told(*, student: str = V, teacher: str = V, **values: Any) -> list[str]:
    stages = stages_of(config(**values), kinds={"student": student, "teacher": teacher})
    return [
        f"{each.name}: {each.student} from {each.teacher}, {each.teacher_steps} -> {each.num_steps}, {each.iterations}"
        for each in stages
    ]


def test_direct_is_one_stage_and_progressive_one_for_each_number() -> None:
    assert told() == ["student-8: student from teacher, 16 -> 8, 10"]
    assert told(steps=[32, 8]) == ["student-8: student from teacher, 32 -> 8, 10"]
    assert told(order="progressive", iterations_by_stage={"student-16": 30}) == [
        "student-32: student from teacher, 64 -> 32, 10",
        "student-16: student-32 from student-32, 32 -> 16, 30",
        "student-8: student-16 from student-16, 16 -> 8, 10",
    ]


def test_a_student_of_another_kind_learns_v_first_and_a_teacher_need_not() -> None:
    assert told(student=EPSILON, teacher=EPSILON, conversion_iterations=4) == [
        "student-v: student from student, 0 -> 0, 4",
        "student-8: student-v from teacher, 16 -> 8, 10",
    ]


def test_the_order_of_the_paper() -> None:
    assert told(student=EPSILON, teacher="sample", order="paper") == [
        "teacher-v: teacher from teacher, 0 -> 0, 10",
        "teacher-16: teacher-v from teacher-v, 32 -> 16, 10",
        "student-v: student from student, 0 -> 0, 10",
        "student-16: student-v from teacher-v, 32 -> 16, 10",
        "student-8: student-16 from teacher-16, 16 -> 8, 10",
    ]
    assert told(order="paper", method="conditioned")[-1].startswith("student-8: student-16 from teacher-16")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"steps": [16, 7]}, "but 16 is followed by 7; choose among 8, 4, 2, 1"),
        ({"steps": [8, 8]}, "8 is followed by 8; choose among 4, 2, 1"),
        ({"steps": [1, 1]}, "choose among more steps before"),
        ({"steps": [8]}, "the teacher's and then the student's"),
        ({"steps": [32, 16, 8]}, "for a stage per number say order=progressive"),
        ({"order": "paper", "steps": [16, 8]}, "of order paper are three numbers"),
        ({"order": "progressive", "method": "consistency"}, "knows no stages"),
        ({"loss": {"cfg_lowest": 5.0, "cfg_highest": 4.0}}, "`cfg_lowest` must be at most `cfg_highest`"),
        ({"training": {}}, "`training.iterations` and `training.pictures` must be given"),
    ],
)
def test_what_cannot_be_is_refused_in_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config(**values)


def test_iterations_of_a_stage_that_there_is_not_are_refused() -> None:
    with pytest.raises(ValueError, match="but has student-4; they are student-8"):
        told(iterations_by_stage={"student-4": 3})
