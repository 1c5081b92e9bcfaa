"""How sure a decision is: the chance that it is right, and what it may cost that it is not.

For every draw theta of the true losses (`nas.values.belief`) the choice is made again, knowing theta. What the group G
that was taken loses more than that choice D(theta) would, for the same milliseconds m_G,

    R(theta) = theta(G) - m_G theta(D) / m_D                                   (of copies the other way round)

is the opportunity cost, at least 0; milliseconds beyond those that the target needs count for nothing. Its mean is the
expected opportunity cost (Chick and Inoue 2001, "New two-stage and sequential procedures for selecting the best
simulated system", Operations Research 49, 732-743). It is what perfect knowledge would save, so that more prompts
cannot save more: a race stops by it. The chance is that of an opportunity cost that counts as nothing.

Both speak of the belief. On made-up losses that are as it takes them to be, whose truth is known, the cost was `UNTOLD`
times what was expected, and more where few prompts hide much (docs/decisions_under_noise.md): a race stops where it
happens to look good, and few prompts do not show what they do not show.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.values.belief import Belief
from nas.values.group import Bools, Choice
from nas.values.sample import Floats, Losses

DIGITS: Final = 3  # significant ones that are kept: another machine's last bits change nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """How sure a decision is.

    Attributes:
        chance: That no other choice loses less by more than the tolerance, for the same milliseconds.
        expected_loss: Mean over what may be true of what the best choice would lose less, in the score's unit.
        tolerance: What counts as nothing, in the score's unit, for the whole group.
    """

    chance: float
    expected_loss: float
    tolerance: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Regrets:
    """What a decision may cost, draw by draw.

    Attributes:
        costs: (S,) opportunity cost of each draw, at least 0.
        differs: (S, K) whose membership is another one in the choice that knows the draw.
    """

    costs: Floats
    differs: Bools

    @property
    def expected(self) -> float:
        """The expected opportunity cost."""
        return float(self.costs.mean())

    def certainty(self, *, tolerance: float) -> Certainty:
        """How sure the decision is."""
        return Certainty(
            chance=_rounded(float((self.costs <= tolerance).mean())),
            expected_loss=_rounded(self.expected),
            tolerance=tolerance,
        )


def regrets(losses: Losses, choice: Choice, /, *, taken: Bools, floor: float = 0.0) -> Regrets:
    """What a decision may cost.

    Args:
        losses: What is known.
        choice: What was to be chosen.
        taken: (K,) who was.
        floor: The indifference: true losses below it are alike.
    """
    truths = Belief.after(losses).draws()
    saved = np.array(choice.saved_ms)
    best = choice.members((truths if choice.highest else np.maximum(truths, floor)) / saved)
    needed = np.inf if choice.needed_ms is None else choice.needed_ms
    own_ms, best_ms = min(float(saved[taken].sum()), needed), np.minimum(best @ saved, needed)
    best_loss = np.einsum("sk,sk->s", best, truths) * own_ms / np.where(best_ms > 0, best_ms, 1.0)
    own_loss = truths[:, taken].sum(axis=1)
    costs = best_loss - own_loss if choice.highest else own_loss - best_loss
    return Regrets(costs=np.maximum(costs, 0.0), differs=best != taken)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
