"""Ask and tell: any search algorithm for a loop of one's own, with the same proposals as the driver's. Pure.

asking = Asking(experiment.algorithm, problem=experiment.problem)
while not asking.is_finished:
step = asking.ask()
if isinstance(step, Train):
asking.tell_trained()
else:
asking.tell({architecture: my_scores(architecture) for architecture in asking.architectures})
best = asking.results[0]
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.checking import AlgorithmError, blamed, check, check_step
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Estimate, Finish, Outcome, Result, Score, Scored, Step, Train, Trained
from nas.scores.intervals import losses, mean_interval
from search_spaces.files.user_error import UserError


class Asking:
    """A search that is asked what has to happen next, and told what came of it.

    Args:
        algorithm: Any, such as `resolve(config).algorithm`.
        problem: What is to be found, such as `resolve(config).problem`.
        confidence: Of the intervals around means; a config's is `validation.confidence`.
    """

    def __init__(self, algorithm: Algorithm[Any], /, *, problem: Problem[Any], confidence: float = 0.95) -> None:
        self._algorithm, self._problem, self._confidence = algorithm, problem, confidence
        self._state = algorithm.start(problem)
        self._num_told = 0
        self._step: Step | None = None

    def ask(self) -> Step:
        """What has to happen next: `Train`, `Score`, or `Finish` at the end; the same until its outcome is told.

        Raises:
            AlgorithmError: The algorithm fails, or asks for what cannot be done.
        """
        if self._step is None:
            if self._num_told >= self._algorithm.max_steps(self._problem):
                raise AlgorithmError(
                    f"the search algorithm {self._algorithm.declaration.name!r} must finish within "
                    f"{self._algorithm.max_steps(self._problem)} steps, but asks for more; this is its own fault"
                )
            with blamed(self._algorithm, self._num_told):
                self._step = self._algorithm.step(self._state)
                check_step(self._step, problem=self._problem)
        return self._step

    @property
    def architectures(self) -> tuple[Any, ...]:
        """The architectures of the step, each once: what a `Score` wants scores of, the reference first."""
        match self.ask():
            case Score() as step:
                reference = () if step.reference is None else (step.reference,)
                return tuple(dict.fromkeys(subject.architecture for subject in (*reference, *step.subjects)))
            case Train() as step:
                return tuple(dict.fromkeys(job.architecture for job in step.jobs))
            case Finish() as step:
                return tuple(result.subject.architecture for result in step.results)

    def tell(self, scores: Mapping[Any, float | Sequence[float]], /) -> None:
        """Tell the scores of a `Score`.

        Args:
            scores: By architecture: one number, or one per prompt, the same prompts in the same order for all; the
                losses of subjects are then paired with the reference prompt by prompt. Architectures that nobody asked
                for are left aside.

        Raises:
            ValueError: One is missing, or scores are not finite or of other prompts.
        """
        self.tell_outcome(self.scored(scores))

    def scored(self, scores: Mapping[Any, float | Sequence[float]], /) -> Scored:
        """The outcome that scores make: means with intervals, and paired losses; see `tell`."""
        step = self.ask()
        if not isinstance(step, Score):
            raise UserError(f"scores answer a `Score`, but the search asks for {_named(step)}")
        missing = [each.arch_id for each in self.architectures if each not in scores]
        if missing:
            raise UserError(f"every architecture asked for must have scores, but {', '.join(missing)} lack them")
        values = {each: _values(scores[each]) for each in self.architectures}
        before = None if step.reference is None else values[step.reference.architecture]
        return Scored(
            estimates=tuple(self._estimate(values[subject.architecture], before) for subject in step.subjects),
            reference=None if before is None else self._estimate(before, None),
        )

    def tell_trained(self, digests: Sequence[str] | None = None, /) -> None:
        """Tell that a `Train` is done.

        Args:
            digests: What each job gave, as names of the weights; None = made up, for scores that need no weights.

        Raises:
            ValueError: Not a digest per job.
        """
        step = self.ask()
        if not isinstance(step, Train):
            raise UserError(f"weights answer a `Train`, but the search asks for {_named(step)}")
        made_up = [f"weights-{self._num_told}-{index}" for index in range(len(step.jobs))]
        self.tell_outcome(Trained(digests=tuple(made_up if digests is None else digests)))

    def tell_outcome(self, outcome: Outcome, /) -> None:
        """Tell an outcome as it is: `Trained`, `Scored` with a race's verdict, or `Extended` after the end.

        Raises:
            OutcomeError: It does not answer the step.
        """
        step = self.ask()
        check(step, outcome)
        with blamed(self._algorithm, self._num_told):
            self._state = self._algorithm.told(self._state, step, outcome)
        if not isinstance(outcome, (Trained, Scored)):
            self._problem, self._num_told = outcome.problem, -1
        self._step, self._num_told = None, self._num_told + 1

    @property
    def is_finished(self) -> bool:
        """Whether nothing more is asked for."""
        return isinstance(self.ask(), Finish)

    @property
    def results(self) -> tuple[Result, ...]:
        """What was found, the first result first.

        Raises:
            ValueError: The search is not over.
        """
        step = self.ask()
        if not isinstance(step, Finish):
            raise UserError(f"the search is not over: it asks for {_named(step)}")
        return step.results

    def _estimate(self, values: Sequence[float], before: Sequence[float] | None) -> Estimate:
        score = mean_interval(values, confidence=self._confidence)
        if before is None:
            return Estimate(score=score)
        lost = losses(before, values, higher_is_better=self._problem.higher_is_better)
        return Estimate(score=score, loss=mean_interval(lost, confidence=self._confidence))


def _named(step: Step) -> str:
    return f"`{type(step).__name__}`"


def _values(scores: float | Sequence[float]) -> Sequence[float]:
    return (float(scores),) if isinstance(scores, (int, float)) else tuple(float(score) for score in scores)
