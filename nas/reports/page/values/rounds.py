"""What a report tells of rounds and blocks: decisions, what was scored, pictures, and each block's story."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from nas.reports.page.values.quantities import Estimate

BlockState: TypeAlias = Literal["present", "leaving", "gone", "growing", "copied"]


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
        chance: Probability that it is truly as good as the runner-up; None where the scores are gone.
        chance_right: Probability that no other choice of its round loses less by more than the tolerance; None where
            nobody said so.
        expected_loss: Score that the best choice of the round would lose less, in the mean.
        tolerance: Score that counts as nothing to all of a round's actions together.
        screened_by: Another score that looked at it first; None where none did.
        change: What that said of it, in its own unit.
        unit: That unit, in words; None for pure numbers.
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
    tolerance: float | None = None
    screened_by: str | None = None
    change: Estimate | None = None
    unit: str | None = None


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
        rank: Among the round's actions by what the search ranked by, from 1 = the cheapest.
        num_ranked: Actions of the round.
        is_executed: Whether the search took it.
        weighed: Value of the loss as the search weighed it; None where it took the mean as it is.
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
    weighed: float | None = None


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
