"""What a report says, as frozen values: made by pure functions from a run's frames, and rendered by templates.

Numbers keep their units in their names; scores are in the unit of the score that the search was by.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

State: TypeAlias = Literal["finished", "running", "interrupted"]
BlockState: TypeAlias = Literal["present", "leaving", "gone", "growing", "copied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside the interval."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLabel:
    """The score that a search was by.

    Attributes:
        name: As its columns have it, such as "clip".
        higher_is_better: Its direction.
    """

    name: str = "clip"
    higher_is_better: bool = True

    @property
    def words(self) -> str:
        """As people write it."""
        return "CLIP" if self.name == "clip" else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Latency as an export measured it on its own machine, found and base in interleaved rounds.

    Attributes:
        form: Of the export, such as "diffusers".
        latency_ms: Of the found UNet.
        base_latency_ms: Of the base.
    """

    form: str
    latency_ms: float
    base_latency_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a search cost so far.

    Attributes:
        num_pictures: Generated and judged.
        num_training_steps: Of robust and recovery training.
        seconds: Of training and scoring, as their events say it.
    """

    num_pictures: int
    num_training_steps: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The figures of the story; None where the run does not know them yet.

    Attributes:
        base_latency_ms: Predicted for the base model.
        target_latency_ms: The objective.
        latency_ms: Predicted for what was found, or for the last round's architecture.
        base_num_params: Of the base.
        num_params: Of what was found.
        base_score: Of the search's start, in its first round.
        score: Of what was found.
        difference: Found minus base, paired prompt by prompt.
        num_prompts: That both were scored on.
        confidence: Of all intervals.
        num_removable: Blocks that could have been removed: those scored in the first round.
        num_blocks: Blocks of the base.
        num_gone: Blocks of the base that are gone.
        num_copied: Copies that were added.
        measured: By the export, where there is one.
        held_out: The score on captions that took no part in the search, where the spec holds it.
        base_held_out: The base's.
        spent: What it cost.
        target_met: None while that is open.
    """

    base_latency_ms: float | None = None
    target_latency_ms: float | None = None
    latency_ms: float | None = None
    base_num_params: int | None = None
    num_params: int | None = None
    base_score: Estimate | None = None
    score: Estimate | None = None
    difference: Estimate | None = None
    num_prompts: int | None = None
    confidence: float = 0.95
    num_removable: int = 0
    num_blocks: int = 0
    num_gone: int = 0
    num_copied: int = 0
    measured: Measured | None = None
    held_out: Estimate | None = None
    base_held_out: Estimate | None = None
    spent: Spent | None = None
    target_met: bool | None = None

    @property
    def saved(self) -> float | None:
        """Share of the base's predicted milliseconds that is saved; None where the base takes no time."""
        if not self.base_latency_ms or self.latency_ms is None:
            return None
        return 1 - self.latency_ms / self.base_latency_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An action that was executed, and how sure it was.

    Attributes:
        round: Of its scores.
        order: Within its round, from 1.
        action: As text, such as "-resnet[mid,0]".
        loss: Score lost, positive = worse.
        saved_ms: Predicted milliseconds saved.
        value: Score lost per millisecond saved.
        runner_up: The next best action that was not executed; None where there was none.
        chance: Probability that it is truly better than the runner-up; None where the scores are gone.
        chance_right: Probability that its round's actions, all together, are the right ones; None where nobody said so.
        expected_loss: Score that a better choice of the round would lose less, in the mean.
    """

    round: int
    order: int
    action: str
    loss: Estimate | None = None
    saved_ms: float | None = None
    value: float | None = None
    runner_up: str | None = None
    margin: float | None = None
    chance: float | None = None
    chance_right: float | None = None
    expected_loss: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What one action cost in one round.

    Attributes:
        round: Whose weights.
        action: As text.
        loss: Score lost, positive = worse.
        saved_ms: Predicted milliseconds saved; negative for a copy.
        value: Score lost per millisecond saved; None where nothing is saved.
        num_prompts: That it was scored on.
        rank: By value among the round's actions, from 1 = the cheapest.
        num_ranked: Actions of the round.
        is_executed: Whether the search took it.
    """

    round: int
    action: str
    loss: Estimate
    saved_ms: float
    value: float | None
    num_prompts: int
    rank: int | None
    num_ranked: int
    is_executed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of the page.

    Attributes:
        key: Its id in the page.
        uri: `data:` address.
        width: Pixels.
        height: Pixels.
    """

    key: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture where it is shown: whose caption, and the key of a `Picture`; None where it is missing."""

    caption: str
    key: str | None
    size: tuple[int, int] = (64, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundView:
    """A round of the search.

    Attributes:
        index: Place on the slider, from 0.
        round: Its number.
        arch_id: Of its architecture.
        latency_ms: Predicted.
        score: On the search's prompts.
        num_prompts: How many.
        num_params: Parameters.
        actions: That were then executed.
        counts: Blocks by name, such as {"resnet[mid,0]": 1}.
        pictures: The same prompts in every round.
        is_found: Whether it is the result.
    """

    index: int
    round: int
    arch_id: str
    latency_ms: float
    score: Estimate
    num_prompts: int
    num_params: int
    actions: tuple[str, ...]
    counts: dict[str, int] = field(hash=False)
    pictures: tuple[Shown, ...] = ()
    is_found: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStory:
    """A block of the base model: what it costs, and what became of it.

    Attributes:
        name: As in actions, such as "resnet[mid,0]".
        label: For people: "Mid ResNet 1".
        kind: "resnet" or "cross_attention".
        stage: Its place, such as "down.0".
        position: Within the stage, from 0.
        num_base: How many the base has of it.
        counts: How many there are in each round.
        price_ms: Predicted milliseconds that it takes in the base; None where nobody itemised them.
        num_params: Its parameters in the base; None where nobody counted them.
        scored: Its removal, round by round.
        copied: Its copy, round by round.
        decisions: What was executed on it, in order.
        pictures_round: The round of the pictures below; None where there are none.
        with_block: Pictures of that round.
        without_block: The same prompts after its removal.
    """

    name: str
    label: str
    kind: str
    stage: str
    position: int
    num_base: int
    counts: tuple[int, ...]
    price_ms: float | None = None
    num_params: int | None = None
    scored: tuple[Scored, ...] = ()
    copied: tuple[Scored, ...] = ()
    decisions: tuple[Decision, ...] = ()
    pictures_round: int | None = None
    with_block: tuple[Shown, ...] = ()
    without_block: tuple[Shown, ...] = ()

    @property
    def removed(self) -> Decision | None:
        """Its removal, where it came to that and it is gone at the end."""
        if not self.counts or self.counts[-1] > 0:
            return None
        return next((each for each in reversed(self.decisions) if each.action.startswith("-")), None)

    @property
    def first(self) -> Scored | None:
        """What its removal cost when it was first scored."""
        return self.scored[0] if self.scored else None

    @property
    def last(self) -> Scored | None:
        """What its removal cost when it was last scored."""
        return self.scored[-1] if self.scored else None

    def state(self, index: int, /) -> BlockState:
        """What becomes of it at a place of the slider."""
        now = self.counts[index]
        then = self.counts[index + 1] if index + 1 < len(self.counts) else now
        if then > now:
            return "growing"
        if now > self.num_base:
            return "copied"
        if now == 0:
            return "gone"
        return "leaving" if then < now else "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question that a reader brings, and what the run says to it."""

    question: str
    short: str
    words: str
    block: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What one would do next, why, and the command for it; "" where there is none."""

    title: str
    why: str
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure in the page: its name for `nas plot`, and an SVG whose ids are its own."""

    name: str
    title: str
    svg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where all this comes from.

    Attributes:
        command: That makes the run again, or goes on with it.
        path: The run directory's name.
        rows: (what, value).
        digests: By name.
        libraries: Versions by name.
        config: The config as YAML.
    """

    command: str
    path: str
    rows: tuple[tuple[str, str], ...] = ()
    digests: tuple[tuple[str, str], ...] = ()
    libraries: tuple[tuple[str, str], ...] = ()
    config: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """All that a report says.

    Attributes:
        title: The run's name.
        state: Of the run.
        stop: Why the search ended; "" while it did not.
        ended: When the last event was written, as text; "" where it is not known.
        score: What it was by.
        headline: The result in a sentence.
        standfirst: The result in two more.
        notices: What is missing or damaged.
        numbers: Of the story.
        answers: To the questions that readers bring.
        next_steps: The most useful first.
        blocks: Of the base, in the order of the forward pass.
        rounds: In order.
        decisions: In order.
        evaluations: In order of scoring.
        pairs: The base's pictures beside the result's: (caption, base, found).
        pictures: All pictures by key, each once.
        figures: Drawn by matplotlib.
        provenance: Where all this comes from.
    """

    title: str
    state: State
    stop: str
    ended: str
    score: ScoreLabel
    headline: str
    standfirst: tuple[str, ...]
    notices: tuple[str, ...]
    numbers: Numbers
    answers: tuple[Answer, ...]
    next_steps: tuple[NextStep, ...]
    blocks: tuple[BlockStory, ...]
    rounds: tuple[RoundView, ...]
    decisions: tuple[Decision, ...]
    evaluations: tuple[Scored, ...]
    pairs: tuple[tuple[Shown, Shown], ...]
    pictures: tuple[Picture, ...]
    figures: tuple[Figure, ...]
    provenance: Provenance
