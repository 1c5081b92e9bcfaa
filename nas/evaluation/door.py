"""The door of scores: a UNet on a chunk of prompts to one number per prompt; docs/scores.md.

Two families enter here. A *picture judge* is handed the pictures that a UNet made; the drawing is shared by all judges
of a chunk. A *probe* is handed the UNet itself. Both are paired by construction, since noise belongs to the prompt, and
both obey the laws of `nas.testing.scores`.
"""

import math
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self, TypeAlias, TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor

from nas.scores.store import name_flaw
from search_spaces.files.user_error import PluginError


class ScoreError(PluginError):
    """A score that does not keep its laws, or numbers and pictures that are not finite."""


class Reference(StrEnum):
    """What a distance is a distance to.

    MODEL: the base model in the weights of the model folder, for good.
    ROUND: the network of a round before the action, in the weights of the round.
    """

    MODEL = "model"
    ROUND = "round"


class DeclaresScore(Protocol):
    """What every score says of itself, without loading a model.

    Attributes:
        name: A Python identifier: that of its entry point, and of its column in score stores.
        unit: Of its numbers, in words; "" for pure numbers.
        higher_is_better: Whether a UNet with a higher number is a better one.
        is_distance: Whether it is a distance to the reference: 0 for the unchanged network, never negative.
        passes_per_prompt: UNet passes that one number costs, the drawing included; `setting.passes_per_picture` for a
            judge that asks for no more.
        digest: Content of all that its numbers depend on beside what `ScoreSetting` holds: its settings, the files that
            it reads, a version of its own rule.

    What may be left out: `reference` (`Reference.MODEL`; see `RefersToRounds`), and the UNet passes per prompt that a
    worker spends beside, for the estimate of costs: `passes_to_start` (0) and `passes_to_refer` (0).
    """

    @property
    def name(self) -> str:
        """See above."""

    @property
    def unit(self) -> str:
        """See above."""

    @property
    def higher_is_better(self) -> bool:
        """See above."""

    @property
    def is_distance(self) -> bool:
        """See above."""

    @property
    def passes_per_prompt(self) -> int:
        """See above."""

    @property
    def digest(self) -> str:
        """See above."""

    def start(self, reference: torch.nn.Module, /) -> None:
        """Load what the numbers need; called once, in every worker, before the first chunk.

        Args:
            reference: The base model's UNet in the weights of the model folder, where UNets run. It is the reference
                during this call only: it is the one that is switched and trained afterwards.
        """


class PictureJudge(DeclaresScore, Protocol):
    """Numbers from pictures."""

    def judge(self, pictures: Float[Tensor, "n 3 h_px w_px"], /, *, chunk: int) -> tuple[float, ...]:
        """One number per prompt of a chunk, in its order.

        Args:
            pictures: In [0, 1], on the device where UNets run; shared, so not to be written to.
            chunk: Which prompts they show.
        """


class Probe(DeclaresScore, Protocol):
    """Numbers from the network itself."""

    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        """One number per prompt of a chunk, in its order.

        Args:
            unet: A diffusers UNet, placed; left as it was found.
            chunk: Which prompts to probe it with.
        """


Score: TypeAlias = PictureJudge | Probe


class RefersToRounds(Protocol):
    """What a score whose `reference` is `Reference.ROUND` has beside.

    It serves to choose among actions: a round's own network has distance 0, so that rounds cannot be compared by it.
    """

    reference: Reference

    def refer(self, reference: torch.nn.Module, /) -> None:
        """Take another network for the reference; called after `start`, whenever it is another one.

        Args:
            reference: A round's UNet before the action, placed, during this call only.
        """


# What an entry point of `nas.scores` names: a class or function that is called with a ScoreSetting and, by keyword,
# with what `score.settings` of a config holds, and makes a score without loading a model. Its attribute `paths`, if it
# has one, is a tuple of those settings that are paths: they are relative to the config that names them, and what stands
# there is in the score's own digest. No type can say "settings of its own", so this is what it comes down to.
ScoreFactory: TypeAlias = Callable[..., Score]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a score says of itself, as a value; see `DeclaresScore`."""

    name: str
    unit: str
    higher_is_better: bool
    is_distance: bool
    passes_per_prompt: int
    digest: str
    reference: Reference = Reference.MODEL
    passes_to_start: int = 0
    passes_to_refer: int = 0

    @classmethod
    def of(cls, score: Score, /) -> Self:
        """Read and check what a score declares.

        Raises:
            ScoreError: Declarations that are missing or of a wrong type, all at once.
        """
        kinds = {
            "name": str,
            "unit": str,
            "higher_is_better": bool,
            "is_distance": bool,
            "passes_per_prompt": int,
            "digest": str,
        }
        wrong = [
            f"`{field}` must be {kind.__name__}, but is {getattr(score, field, 'missing')!r}"
            for field, kind in kinds.items()
            if type(getattr(score, field, None)) is not kind
        ]
        if judges_pictures(score) == probes_network(score):
            wrong.append("it must have exactly one of `judge` (of pictures) and `probe` (of a network)")
        optional = {"reference": Reference, "passes_to_start": int, "passes_to_refer": int}
        wrong += [
            f"`{field}` must be {kind.__name__}, but is {getattr(score, field)!r}"
            for field, kind in optional.items()
            if hasattr(score, field) and type(getattr(score, field)) is not kind
        ]
        if not wrong:
            wrong += _against_laws(score)
        if wrong:
            raise ScoreError(f"the score {type(score).__name__} breaks the door's laws: {'; '.join(wrong)}")
        return cls(**{field: getattr(score, field) for field in (*kinds, *optional) if hasattr(score, field)})

    def better(self, value: float, /) -> float:
        """A number as one of which more is better, to compare by."""
        return value if self.higher_is_better else -value


def judges_pictures(score: Score, /) -> TypeGuard[PictureJudge]:
    """Whether a score is a picture judge."""
    return callable(getattr(score, "judge", None))


def probes_network(score: Score, /) -> TypeGuard[Probe]:
    """Whether a score is a probe."""
    return callable(getattr(score, "probe", None))


def refers_to_rounds(score: object, /) -> TypeGuard[RefersToRounds]:
    """Whether the reference of a score is the network of a round, which it is told."""
    return getattr(score, "reference", None) is Reference.ROUND and callable(getattr(score, "refer", None))


def reference_named(name: str, /, *, of: str) -> Reference:
    """The reference of a name.

    Raises:
        ScoreError: There is none.
    """
    if name not in tuple(Reference):
        raise ScoreError(f"`reference` of {of} must be {' or '.join(Reference)}, but got {name!r}")
    return Reference(name)


def check_numbers(numbers: Sequence[float], /, *, score: str, num_prompts: int, of: str) -> tuple[float, ...]:
    """The numbers of a chunk, if there is a finite one for every prompt.

    Args:
        numbers: What a score gave.
        score: Its name.
        num_prompts: Of the chunk.
        of: What was scored, in words.

    Raises:
        ScoreError: There is not.
    """
    if not isinstance(numbers, (tuple, list)) or not all(isinstance(number, (int, float)) for number in numbers):
        raise ScoreError(
            f"a score must give a tuple of numbers, but `{score}` gave {type(numbers).__name__} "
            f"{reprlib.repr(numbers)} of {of}; of a tensor or an array `tuple(numbers.tolist())` makes one"
        )
    if len(numbers) != num_prompts:
        raise ScoreError(
            f"a score must give one number per prompt, but `{score}` gave {len(numbers)} for {num_prompts} prompts of "
            f"{of}; correct the score, since its laws are checked by nas.testing.scores"
        )
    if broken := sum(not math.isfinite(number) for number in numbers):
        raise ScoreError(
            f"scores must be finite, but {broken} of {num_prompts} by `{score}` of {of} are not; either the score is "
            "wrong, or the model overflows: use a wider dtype, or protect the block whose removal does it"
        )
    return tuple(float(number) for number in numbers)


def _against_laws(score: Score) -> list[str]:
    """Declarations of the right types that cannot be meant."""
    wrong = []
    if flaw := name_flaw(score.name):
        wrong.append(f"`name` {flaw}")
    if score.passes_per_prompt < 0:
        wrong.append(f"`passes_per_prompt` must be at least 0, but is {score.passes_per_prompt}")
    if score.is_distance and score.higher_is_better:
        wrong.append("a distance to the reference is better when it is lower, but `higher_is_better` is True")
    if getattr(score, "reference", Reference.MODEL) is Reference.ROUND and not refers_to_rounds(score):
        wrong.append("a score whose `reference` is the round must have `refer`")
    if not score.digest:
        wrong.append("`digest` must not be empty")
    return wrong
