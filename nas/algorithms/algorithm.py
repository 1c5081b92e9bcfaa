"""The door of algorithms: the next step is a function of the problem and of the outcomes so far, and of nothing else.

    state = algorithm.start(problem)
    step = algorithm.step(state)
    state = algorithm.told(state, step, outcome)

Resuming folds the outcomes again; so does estimating the cost, with made-up outcomes. Batches are part of an algorithm,
workers are not; its randomness comes from the problem's seed and the number of the step. A plugin's author inherits the
laws from `nas.testing.algorithms.AlgorithmLaws`. Pure.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, Generic, Protocol, TypeVar, runtime_checkable

from nas.algorithms.problem import LATENCY, Problem
from nas.algorithms.steps import Extended, Finish, Outcome, Recipe, Score, Scored, Step, Train, Trained
from search_spaces.files.user_error import PluginError, UserError

State = TypeVar("State")
S = TypeVar("S")
_LABEL: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What an algorithm says of itself.

    Attributes:
        name: As in `search.algorithm`.
        paper: Where it comes from, with the section.
        cost: Its cost law in words: how many scorings, of how many subjects.
        use: When to take it, in words.
        objectives: Which it takes: "score" under limits, or more.
        trains: Whether it asks for training.
        assumes_additivity: Whether it takes the losses of edits to add up.
        scores: Names of the scores that its steps ask for beside the run's own, each with its default settings.
        extends: What a finished search may go on with, settings or "target_latency_ms", each with its direction:
            "lower" or "higher".
        takes: What it takes into account of a problem, as `nas.algorithms.problem` names it: the latency always, and
            further limits, the worst allowed score and several targets where it says so.
        contests: Whether its steps hold contests, before which a cheap score may screen (`scoring.screen`).
    """

    name: str
    paper: str
    cost: str
    use: str = ""
    objectives: tuple[str, ...] = ("score",)
    trains: bool = True
    assumes_additivity: bool = False
    scores: tuple[str, ...] = ()
    extends: Mapping[str, str] = field(default_factory=dict)
    takes: frozenset[str] = frozenset({LATENCY})
    contests: bool = False


class Algorithm(Protocol[State]):
    """A search algorithm: a fold over outcomes."""

    @property
    def declaration(self) -> Declaration:
        """What it says of itself."""
        ...

    @property
    def settings(self) -> Any:
        """Its settings, a frozen value; `Problem.settings` of its problems."""
        ...

    def start(self, problem: Problem[Any], /) -> State:
        """The state before the first step: a frozen value that pickles small.

        Raises:
            ValueError: Settings that the problem cannot have.
        """
        ...

    def step(self, state: State, /) -> Step:
        """What has to happen next; may be expensive, and is the same however often it is asked."""
        ...

    def told(self, state: State, step: Step, outcome: Outcome, /) -> State:
        """The state after an outcome: a new value; never calls `step`."""
        ...

    def max_steps(self, problem: Problem[Any], /) -> int:
        """A bound on the steps until `Finish`, whatever the outcomes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much work a search is, whatever the scores.

    Attributes:
        num_rounds: Steps `Train`.
        num_scorings: Architectures that are scored on every prompt, references that are new included.
        shares: Training steps of each recipe, in times its length.
    """

    num_rounds: int
    num_scorings: int
    shares: Mapping[Recipe, float]


@runtime_checkable
class Budgeted(Protocol):
    """An algorithm that knows its work beforehand, so that nobody folds it over made-up outcomes to learn it."""

    def budget(self, problem: Problem[Any], /) -> Budget:
        """The most work that a search is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmKind(Generic[S]):
    """What stands behind a name of the door `nas.algorithms`: ours and plugins' alike.

    Attributes:
        declaration: What its algorithms say of themselves; the name is the entry point's.
        settings: Class of its settings, made with `nas.settings.settings`, so that laws hold from YAML and Python.
        make: The algorithm of checked settings.
    """

    declaration: Declaration
    settings: type[S]
    make: Callable[[S], Algorithm[Any]]

    @property
    def about(self) -> str:
        """What it is, in a line."""
        return self.declaration.paper


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
