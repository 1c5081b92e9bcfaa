"""The door of algorithms: the next step is a function of the problem and of the outcomes so far, and of nothing else.

    state = algorithm.start(problem)
    step = algorithm.step(state)
    state = algorithm.told(state, step, outcome)

Resuming folds the outcomes again; so does estimating the cost, with made-up outcomes. Batches are part of an algorithm,
workers are not; its randomness comes from the problem's seed and the number of the step. A plugin's author inherits the
laws from `nas.testing.algorithms.AlgorithmLaws`. Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from nas.algorithms.problem import LATENCY, Problem
from nas.algorithms.steps import Outcome, Recipe, Step

State = TypeVar("State")
S = TypeVar("S")


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
