"""HeldOut: any algorithm, and in the end the truth: its results are scored on captions that no decision saw. Pure.

The score by which a result was chosen is the best of many, so it is too high on average. Before `Finish` is told, the
base and every result are scored on the held-out captions, paired; the results are what they were, whatever comes out.
"""

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from nas.algorithms.algorithm import Algorithm, Declaration
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Extended, Finish, Outcome, PromptSet, Score, Scored, Step, Subject

Inner = TypeVar("Inner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed(Generic[Inner]):
    """Where a search stands, and what was found out about its results.

    Attributes:
        inner: Where the algorithm stands.
        first: The architecture that the problem starts with.
        base: The same with the weights that it was first scored with; None before.
        truth: Of the results of the algorithm's `Finish`; None before.
    """

    inner: Inner
    first: Any
    base: Subject | None = None
    truth: Scored | None = None


class HeldOut(Generic[Inner]):
    """An algorithm whose results get a score on held-out captions.

    Args:
        algorithm: Whose.
    """

    def __init__(self, algorithm: Algorithm[Inner], /) -> None:
        self._algorithm = algorithm

    @property
    def declaration(self) -> Declaration:
        """The algorithm's own."""
        return self._algorithm.declaration

    @property
    def settings(self) -> Any:
        """The algorithm's own."""
        return self._algorithm.settings

    def start(self, problem: Problem[Any], /) -> Witnessed[Inner]:
        """Where the algorithm starts."""
        return Witnessed(inner=self._algorithm.start(problem), first=problem.first)

    def max_steps(self, problem: Problem[Any], /) -> int:
        """One more than the algorithm's."""
        return self._algorithm.max_steps(problem) + 1

    def step(self, state: Witnessed[Inner], /) -> Step:
        """The algorithm's, and before its end the scoring of what it names."""
        step = self._algorithm.step(state.inner)
        if not isinstance(step, Finish):
            return step
        if state.truth is not None:
            return _with_truth(step, state.truth)
        return Score(
            round=max(result.round for result in step.results),
            subjects=tuple(dict.fromkeys(replace(result.subject, action=None) for result in step.results)),
            reference=state.base,
            decision=step.decision,
            prompts=PromptSet.HELD_OUT,
        )

    def told(self, state: Witnessed[Inner], step: Step, outcome: Outcome, /) -> Witnessed[Inner]:
        """The state after an outcome; the algorithm hears nothing of held-out captions."""
        match step, outcome:
            case Score(prompts=PromptSet.HELD_OUT), Scored():
                return replace(state, truth=outcome)
            case Finish(), Extended():
                results = tuple(replace(result, truth=None) for result in step.results)
                own = replace(step, results=results, base_truth=None)
                return replace(state, inner=self._algorithm.told(state.inner, own, outcome), truth=None)
        base = state.base
        if base is None and isinstance(step, Score):
            scored = (*([step.reference] if step.reference is not None else []), *step.subjects)
            base = next((replace(each, action=None) for each in scored if each.architecture == state.first), None)
        return replace(state, inner=self._algorithm.told(state.inner, step, outcome), base=base)


def _with_truth(finish: Finish, truth: Scored) -> Finish:
    """The algorithm's end with what was found out; its decision was told with the step before."""
    subjects = tuple(dict.fromkeys(replace(result.subject, action=None) for result in finish.results))
    by_subject = dict(zip(subjects, truth.estimates, strict=True))
    return replace(
        finish,
        results=tuple(
            replace(result, truth=by_subject[replace(result.subject, action=None)]) for result in finish.results
        ),
        decision=None,
        base_truth=None if truth.reference is None else truth.reference.score,
    )
