"""What goes through the door of algorithms, checked: steps that can be executed, outcomes that answer them. Pure."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any, Final

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Extended, Finish, Outcome, Score, Scored, Step, Train, Trained
from search_spaces.files.user_error import PluginError, UserError

_LABEL: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


class AlgorithmError(PluginError):
    """A search algorithm that fails, or asks for what cannot be done: a fault of its own."""


class OutcomeError(UserError):
    """An outcome that does not answer its step; algorithms would swallow it."""


def check_step(step: Step, /, *, problem: Problem[Any]) -> None:
    """Check that a step can be executed, before it is.

    Raises:
        AlgorithmError: It cannot, or says what is not so; the message lists everything.
    """
    match step:
        case Train():
            wrong = _wrong_jobs(step, problem)
        case Score():
            wrong = _wrong_subjects(step, problem)
        case Finish():
            wrong = _wrong_results(step, problem)
        case _:
            raise AlgorithmError(f"a step must be Train, Score or Finish, but got {step!r}")
    if wrong:
        raise AlgorithmError(f"the step {type(step).__name__} cannot be executed: " + "; ".join(wrong))


def _wrong_jobs(step: Train, problem: Problem[Any]) -> list[str]:
    wrong = [] if step.jobs else ["it must have at least one job"]
    wrong += [f"`share` of a job must be finite and at least 0, but got {job.share}" for job in step.jobs if not (
        isfinite(job.share) and job.share >= 0)]  # fmt: skip
    return wrong + _outside([job.architecture for job in step.jobs], problem)


def _wrong_subjects(step: Score, problem: Problem[Any]) -> list[str]:
    scored = [*step.subjects, *([step.reference] if step.reference is not None else [])]
    wrong = [] if scored else ["it must have a subject or a reference"]
    if step.num_prompts is not None and step.num_prompts < 1:
        wrong.append(f"`num_prompts` must be at least 1, but is {step.num_prompts}")
    if step.contest is not None:
        foreign = sorted(index for index in step.contest.saved_ms if not 0 <= index < len(step.subjects))
        useless = sorted(index for index, ms in step.contest.saved_ms.items() if not (isfinite(ms) and ms > 0))
        if step.reference is None:
            wrong.append("a contest needs a reference, to which losses are paired")
        if foreign:
            wrong.append(f"contestants must be indices of its {len(step.subjects)} subjects, but {foreign} are not")
        if useless:
            wrong.append(f"contestants must save a positive number of milliseconds, but {useless} do not")
        if step.contest.num < 1:
            wrong.append(f"a contest must have at least one place, but has {step.contest.num}")
    if step.screening is not None:
        known = {*range(len(step.subjects))}
        named = {*step.screening.changes, *step.screening.free, *step.screening.contested}
        if named - known:
            wrong.append(f"a screening must name its {len(step.subjects)} subjects, but names {sorted(named - known)}")
        if step.contest is not None and set(step.contest.saved_ms) != set(step.screening.contested):
            wrong.append("contestants after a screening must be those that it leaves")
    return wrong + _outside([subject.architecture for subject in scored], problem)


def _wrong_results(step: Finish, problem: Problem[Any]) -> list[str]:
    labels = [result.label for result in step.results]
    wrong = [] if labels else ["it must have at least one result"]
    if strange := [label for label in labels if not _LABEL.fullmatch(label)]:
        wrong.append(f"labels must be of letters, digits, `_`, `-` and `.`, since they name files, but got {strange}")
    if len(set(labels)) < len(labels):
        wrong.append(f"labels must differ, but got {labels}")
    if outside := _outside([result.subject.architecture for result in step.results], problem):
        return wrong + outside
    for result in step.results:
        target_ms = problem.target_latency_ms if result.target_latency_ms is None else result.target_latency_ms
        if target_ms not in problem.targets_ms:
            wrong.append(f"the result {result.label!r} is for a target of {target_ms} ms, which nobody asked for")
            continue
        architecture = result.subject.architecture
        missed = problem.missed_by(architecture, score=result.score.mean, target_latency_ms=target_ms)
        if missed.keys() != result.missed_by.keys():
            ms = problem.price_ms(architecture)
            wrong.append(
                f"the result {result.label!r} takes {ms:.3f} ms where {target_ms:.3f} are asked for and misses its "
                f"limits by {missed or 'nothing'}, "
                f"but says that it misses its limits by {dict(result.missed_by) or 'nothing'}"
            )
    return wrong


def _outside(architectures: list[Any], problem: Problem[Any]) -> list[str]:
    """What is wrong with architectures that do not lie in the space."""
    wrong = []
    for architecture in dict.fromkeys(architectures):
        try:
            problem.space.check(architecture)
        except ValueError as error:
            wrong.append(str(error))
    return wrong


def check(step: Step, outcome: Outcome, /) -> None:
    """Check that an outcome answers its step, before it is told.

    Raises:
        OutcomeError: Another kind of outcome, a missing or foreign part, or a number that is not finite.
    """
    wrong = list(_wrong(step, outcome))
    if wrong:
        raise OutcomeError(f"the outcome of {type(step).__name__} in round {_round(step)}: " + "; ".join(wrong))


def _round(step: Step) -> int:
    return step.results[0].round if isinstance(step, Finish) else step.round


def _wrong(step: Step, outcome: Outcome) -> list[str]:
    match step, outcome:
        case Train(), Trained():
            if len(outcome.digests) != len(step.jobs) or not all(outcome.digests):
                return [f"every job must have a digest of weights, but {len(step.jobs)} jobs got {outcome.digests}"]
            return []
        case Score(), Scored():
            return _wrong_scores(step, outcome)
        case Finish(), Extended():
            return []
    return [f"must be another one, but got {type(outcome).__name__}"]


def _wrong_scores(step: Score, outcome: Scored) -> list[str]:
    wrong = []
    if len(outcome.estimates) != len(step.subjects):
        wrong.append(f"must hold an estimate per subject, but got {len(outcome.estimates)} of {len(step.subjects)}")
    if (step.reference is None) != (outcome.reference is None):
        wrong.append("the reference must be scored where there is one, and only there")
    named = [("the reference", outcome.reference), *((f"subject {i}", e) for i, e in enumerate(outcome.estimates))]
    for name, estimate in named:
        if estimate is None:
            continue
        means = [estimate.score.mean, *([estimate.loss.mean] if estimate.loss is not None else [])]
        if not all(map(isfinite, means)):
            wrong.append(f"scores of {name} must be finite, but got {means}")
    if outcome.verdict is not None:
        foreign = [i for i in outcome.verdict.chosen if step.contest is None or i not in step.contest.saved_ms]
        if foreign:
            wrong.append(f"only contestants can be chosen, but {foreign} are none")
    return wrong


def check_takes(algorithm: Algorithm[Any], problem: Problem[Any], /) -> None:
    """Check that an algorithm takes into account all that a problem asks for.

    Raises:
        ValueError: It would ignore something.
    """
    if ignored := sorted(problem.objectives - algorithm.declaration.takes):
        taken = ", ".join(sorted(algorithm.declaration.takes))
        raise UserError(
            f"the search algorithm {algorithm.declaration.name!r} takes {taken} into account, but not "
            f"{', '.join(ignored)}; leave that limit out, or give another `search.algorithm`: "
            "`nas plugins` lists them"
        )


@contextmanager
def blamed(algorithm: Algorithm[Any], number: int, /) -> Iterator[None]:
    """Turn whatever an algorithm raises into an error that names it."""
    try:
        yield
    except OSError:  # a disk, or a device that is measured
        raise
    except Exception as error:
        name, kind = algorithm.declaration.name, type(error).__name__
        raise AlgorithmError(f"the search algorithm {name!r} failed at step {number}: {kind}: {error}") from error
