"""The stages of a step distillation, one after the other: who learns from whom how many steps. Pure.

| order | stages |
|---|---|
| direct | student: teacher's steps -> its own |
| progressive | the same once for each number of steps; each student is the next one's teacher |
| paper | teacher: 32 -> 16; student: 32 -> 16, from the teacher; student: 16 -> 8, from the teacher of 16 |

Before its first stage a UNet that predicts something else than v learns v, from itself.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nas.distillation.steps.settings import Method, Order, StepDistillationConfig
from search_spaces.files.user_error import UserError

STUDENT: Final = "student"  # names of what a config gives; stages have names of their own
TEACHER: Final = "teacher"
V: Final = "v_prediction"


class StageKind(StrEnum):
    """What is learned."""

    CONVERSION = "conversion"
    STEPS = "steps"
    CONDITIONED = "conditioned"
    CONSISTENCY = "consistency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One training.

    Attributes:
        name: Of its folder; "student-8" for a student of 8 steps.
        kind: What is learned.
        student: Who: "student", "teacher", or an earlier stage, whose result goes on.
        teacher: From whom, in the same words.
        teacher_steps: Steps of the teacher's sampling; 0 in a conversion.
        num_steps: Steps that the student samples in afterwards; 0 in a conversion.
        iterations: Training steps.
    """

    name: str
    kind: StageKind
    student: str
    teacher: str
    teacher_steps: int = 0
    num_steps: int = 0
    iterations: int


def stages_of(config: StepDistillationConfig, /, *, kinds: Mapping[str, str]) -> tuple[Stage, ...]:
    """The stages of a distillation.

    Args:
        config: Order, method and steps.
        kinds: What "student" and "teacher" predict.

    Raises:
        UserError: Iterations are given for stages that there are not.
    """
    made: list[Stage] = []

    def add(name: str, kind: StageKind, student: str, teacher: str, teacher_steps: int = 0, num_steps: int = 0) -> str:
        iterations = config.training.iterations
        if kind is StageKind.CONVERSION:
            iterations = config.conversion_iterations or iterations
        made.append(
            Stage(
                name=name,
                kind=kind,
                student=student,
                teacher=teacher,
                teacher_steps=teacher_steps,
                num_steps=num_steps,
                iterations=config.iterations_by_stage.get(name, iterations),
            )
        )
        return name

    def of_v(who: str) -> str:
        """The UNet of a name, or the conversion of it."""
        return who if kinds[who] == V else add(f"{who}-v", StageKind.CONVERSION, who, who)

    kind, steps = StageKind(Method(config.method)), config.all_steps
    if config.order is Order.PAPER:
        first, middle, last = steps
        taught = of_v(TEACHER)
        tutor = add(f"{TEACHER}-{middle}", StageKind.STEPS, taught, taught, first, middle)
        pupil = add(f"{STUDENT}-{middle}", StageKind.STEPS, of_v(STUDENT), taught, first, middle)
        add(f"{STUDENT}-{last}", kind, pupil, tutor, middle, last)
    else:
        pupil, tutor = of_v(STUDENT), TEACHER
        for before, after in itertools.pairwise(steps):
            pupil = tutor = add(f"{STUDENT}-{after}", kind, pupil, tutor, before, after)
    names = [stage.name for stage in made]
    if strange := sorted(config.iterations_by_stage.keys() - set(names)):
        raise UserError(
            f"`iterations_by_stage` must name stages of this distillation, but has {', '.join(strange)}; they are "
            f"{', '.join(names)}"
        )
    return tuple(made)
