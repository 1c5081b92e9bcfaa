"""How well numbers of few prompts rank removals, and what the removals lose that they choose. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """Recorded scores.

    Attributes:
        losses: CLIP lost by every removal on every prompt: a row per action, a column per prompt.
        saved_ms: By every removal.
    """

    losses: pd.DataFrame
    saved_ms: pd.Series

    @classmethod
    def of(cls, recorded: pd.DataFrame, /) -> Self:
        """The truth in a frame of `experiments.decisions.record`.

        Raises:
            UserError: It lacks a column, or the base's scores.
        """
        if missing := {"action", "prompt", "score", "saved_ms"} - set(recorded):
            raise UserError(f"recorded scores must have the columns {sorted(missing)}, but lack them; record them anew")
        scores = recorded.pivot(index="action", columns="prompt", values="score")
        if "" not in scores.index:
            raise UserError('recorded scores must hold the base\'s, under the action "", but do not; record them anew')
        losses = scores.loc[""] - scores.drop(index="")
        saved_ms = recorded.groupby("action")["saved_ms"].first().drop("")
        useful = saved_ms.index[saved_ms > 0]
        return cls(losses=losses.loc[useful], saved_ms=saved_ms.loc[useful])


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One draw of prompts.

    Attributes:
        tau: Kendall's, of the numbers with the true losses.
        tau_after: The same with losses after a training, of the removals that were trained; NaN without any.
        lost: True loss of what the numbers choose for each target, added up; NaN where all together do not reach it.
    """

    tau: float
    tau_after: float
    lost: tuple[float, ...]


def draws(
    numbers: pd.DataFrame,
    /,
    *,
    truth: Truth,
    num: int,
    num_draws: int,
    most_ms: Sequence[float],
    after: pd.Series,
    decides_by_truth: bool,
) -> Iterator[Draw]:
    """Decisions by the mean of so many prompts.

    Args:
        numbers: A row per action, a column per prompt; more = it changes more.
        truth: What the removals really lose.
        num: Prompts per draw.
        num_draws: How many draws.
        most_ms: Milliseconds to save, of each target.
        after: Losses after a training, by action.
        decides_by_truth: Whether the numbers are the recorded losses: then the truth is the prompts left.
    """
    rng = np.random.default_rng(0)
    for _ in range(num_draws):
        drawn = rng.choice(numbers.shape[1], size=num, replace=False)
        means = numbers.iloc[:, drawn].mean(axis=1)
        left = np.setdiff1d(np.arange(numbers.shape[1]), drawn) if decides_by_truth else slice(None)
        true = truth.losses.iloc[:, left].mean(axis=1)
        order = (means / truth.saved_ms).sort_values(kind="stable").index
        saved_ms = truth.saved_ms.loc[order].cumsum()
        lost = true.loc[order].cumsum()
        yield Draw(
            tau=float(kendalltau(means, true).statistic),
            tau_after=float(kendalltau(means.loc[after.index], after).statistic) if len(after) > 1 else float("nan"),
            lost=tuple(_lost(lost, int((saved_ms < wanted).sum())) for wanted in most_ms),
        )


def _lost(lost: pd.Series, last: int) -> float:
    """Added up to the last one that is taken; NaN where there is no such."""
    return float(lost.iloc[last]) if last < len(lost) else float("nan")


def halves(losses: pd.DataFrame, /, *, num_draws: int = 200) -> list[float]:
    """Kendall's tau of the mean losses on one half of the prompts with those on the other, over random halves.

    No ranking can be told to agree better with these losses than they do with themselves.

    Args:
        losses: A row per action, a column per prompt.
        num_draws: How many halves.
    """
    rng, middle = np.random.default_rng(0), losses.shape[1] // 2
    orders = (rng.permutation(losses.shape[1]) for _ in range(num_draws))
    return [
        float(kendalltau(losses.iloc[:, order[:middle]].mean(axis=1), losses.iloc[:, order[middle:]].mean(axis=1))[0])
        for order in orders
    ]


def kept_order(before: pd.Series, after: pd.Series, /) -> str:
    """How the mean losses of actions agree with those after a training, in words."""
    before = before.loc[after.index]
    return (
        f"{len(after)} removals, all recorded captions: tau of the loss before training with that after "
        f"{kendalltau(before, after).statistic:.2f}, correlation {np.corrcoef(before, after)[0, 1]:.2f}; "
        f"mean loss {before.mean():.4f} before, {after.mean():.4f} after"
    )


def spread_of(values: Sequence[float], /, *, signed: bool = False) -> str:
    """A mean and the deviation of single draws, as a cell; empty where there is none."""
    if np.isnan(values).any():
        return ""
    mean, spread = float(np.mean(values)), float(np.std(values))
    return f"{mean:+.4f} ± {spread:.4f}" if signed else f"{mean:.2f} ± {spread:.2f}"
