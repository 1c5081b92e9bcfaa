"""Do the losses of edits add up? Measured on architectures with several edits; and pair terms where they do not. Pure.

The loss of an architecture is taken as `Σ w_i x_i + Σ v_ij x_i x_j` (x = which edits are executed), with normal priors
on the terms; single edits were scored alone, so w is nearly known, and what several edits lose beyond their sum is
laid on pairs. How large pair terms and noise are is chosen by the leave-one-out error, of which linear models have a
closed form. Pair terms of size 0 are among the choices: then losses add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
PAIR_SIZES: Final = (0.0, 0.1, 0.3, 1.0)  # standard deviation of a pair term, in those of a single one
TINY: Final = 1e-9  # a pair term that is none
NOISES: Final = (0.01, 0.1, 0.3, 1.0)  # of a score, in the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Additivity:
    """How well sums of single losses tell the losses of several edits at once.

    Attributes:
        r2: 1 = they tell all; 0 = as much as the mean; may be negative.
        error: Mean of the absolute errors, in the score's unit.
        num: Architectures that it was measured on.
    """

    r2: float
    error: float
    num: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LossModel:
    """Predicted losses: of each variable, and of pairs beyond their sum."""

    losses: Vector
    pairs: Mapping[tuple[int, int], float]

    def predicted(self, chosen: Vector, /) -> float:
        """Loss of a choice."""
        both = sum(value for (i, j), value in self.pairs.items() if chosen[i] and chosen[j])
        return float(chosen @ self.losses) + both


def additivity(chosen: Vector, lost: Vector, /, *, single: Vector) -> Additivity:
    """Compare sums of single losses with what was lost.

    Args:
        chosen: (n, k), 0 or 1: the edits of n architectures with at least two each.
        lost: (n,) what they lost.
        single: (k,) what each edit loses alone.
    """
    errors, spread = lost - chosen @ single, float(((lost - lost.mean()) ** 2).sum())
    squared = float((errors**2).sum())
    r2 = 1.0 - squared / spread if spread > 0 else float(squared == 0)
    return Additivity(r2=r2, error=float(np.abs(errors).mean()), num=len(lost))


def fitted(chosen: Vector, lost: Vector, /, *, single: Vector) -> LossModel:
    """Losses and pair terms by everything that was scored.

    Args:
        chosen: (n, k), 0 or 1.
        lost: (n,).
        single: (k,) what each edit loses alone, around which the model is built.
    """
    num = chosen.shape[1]
    first, second = np.triu_indices(num, k=1)
    both = chosen[:, first] * chosen[:, second]
    left = lost - chosen @ single
    scale = float(np.std(single)) or 1.0
    best = min(
        (_loo_error(kernel := chosen @ chosen.T + size**2 * (both @ both.T), left, noise), -noise, size, noise)
        for size in PAIR_SIZES
        for noise in NOISES
    )
    _, _, size, noise = best
    kernel = chosen @ chosen.T + size**2 * (both @ both.T)
    weights = np.linalg.solve(kernel + noise**2 * np.eye(len(left)), left)
    terms = size**2 * (both.T @ weights)
    kept = {
        (int(i), int(j)): float(term)
        for i, j, term in zip(first, second, terms, strict=True)
        if abs(term) > TINY * scale
    }
    return LossModel(losses=single + chosen.T @ weights, pairs=kept)


def _loo_error(kernel: Vector, left: Vector, noise: float) -> float:
    """Mean squared error of each target as the others predict it."""
    inverse = np.linalg.inv(kernel + noise**2 * np.eye(len(left)))
    return float(np.mean((inverse @ left / np.diag(inverse)) ** 2))
