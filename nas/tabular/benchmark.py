"""A tabular benchmark as a value: every architecture that some edits of a model make, with its scores and its prices.

An architecture is a number: bit i says whether edit i is executed. The first `num_searched` edits make the sub-space,
of which every architecture is recorded; single removals of the others may be recorded besides.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.files.user_error import UserError

MAX_EDITS = 62  # bits of a number that is stored as int64
_TEXTS = ("name", "model", "protocol", "score", "unit", "device", "made_by")


class BenchmarkError(UserError):
    """A file that is no tabular benchmark, or one that breaks its laws; the message lists every problem."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Benchmark:
    """Recorded scores.

    Attributes:
        name: What it is called.
        model: What was scored, in a few words.
        protocol: How pictures were made, in a few words.
        score: Name of the score.
        unit: Of it.
        higher_is_better: Its direction.
        device: Whose milliseconds.
        edits: What may go: "cross_attention[down.0,0]", in the order of the bits.
        num_searched: How many of them make the sub-space.
        passes_per_prompt: UNet passes that one score of one prompt costs.
        seconds_per_pass: Of the base on the machine that recorded it, for simulated time.
        made_by: The command that recorded it.
        masks: (n,) whole numbers, ascending; bit i = edit i is executed. The first 2^num_searched are the sub-space.
        latency_ms: (n,) predicted.
        num_params: (n,)
        num_macs: (n,)
        scores: n arrays, one number per prompt; the prompts of a shorter one are the first of a longer one.
    """

    name: str
    model: str
    protocol: str
    score: str
    unit: str
    higher_is_better: bool
    device: str
    edits: tuple[str, ...]
    num_searched: int
    passes_per_prompt: int
    seconds_per_pass: float
    made_by: str
    masks: NDArray[np.int64]
    latency_ms: NDArray[np.float64]
    num_params: NDArray[np.int64]
    num_macs: NDArray[np.int64]
    scores: tuple[NDArray[np.float64], ...]

    def __post_init__(self) -> None:
        if wrong := list(self._wrong()):
            raise BenchmarkError(f"the tabular benchmark {self.name!r}: " + "; ".join(wrong))

    def _wrong(self) -> Any:
        num = len(self.masks)
        texts = {name: [getattr(self, name)] for name in _TEXTS} | {"edits": self.edits}
        if odd := [name for name, values in texts.items() if not all(isinstance(each, str) for each in values)]:
            yield f"must be texts, but are not: {', '.join(odd)}"
            return
        columns = {"latency_ms": self.latency_ms, "num_params": self.num_params, "num_macs": self.num_macs}
        is_whole = type(self.num_searched) is int
        if not (is_whole and 1 <= self.num_searched <= len(self.edits) <= MAX_EDITS):
            yield f"`num_searched` must lie between 1 and its {len(self.edits)} edits, but is {self.num_searched!r:.40}"
            return
        if num < (size := 2**self.num_searched):
            yield f"all {size:,} architectures of {self.num_searched} edits must be there, but it has {num:,} rows"
            return
        if len(set(self.edits)) < len(self.edits):
            yield "edits must differ"
        if wrong := [name for name, column in columns.items() if len(column) != num] or len(self.scores) != num:
            yield f"every column must have {num} rows, but not so {wrong if wrong is not True else 'scores'}"
            return
        if not np.array_equal(self.masks[:size], np.arange(size)):
            yield f"all {size:,} architectures of {self.num_searched} edits must be there, in ascending order"
        if num > 1 and (np.any(np.diff(self.masks) <= 0) or self.masks[-1] >= 2 ** len(self.edits)):
            yield "masks must ascend and name no other edits"
        for name, column in columns.items():
            if not (np.isfinite(column).all() and (column > 0).all()):
                yield f"{name} must be positive and finite"
        if not all(len(row) and np.isfinite(row).all() for row in self.scores):
            yield "every architecture must have a finite score of at least one prompt"
        if self.passes_per_prompt < 1 or not self.seconds_per_pass > 0:
            yield "passes and seconds must be positive"

    @property
    def size(self) -> int:
        """Architectures of the sub-space."""
        return int(2**self.num_searched)

    @cached_property
    def num_prompts(self) -> int:
        """Prompts that every architecture of the sub-space has scores of; the first so many count."""
        return min(map(len, self.scores[: self.size]))

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """(2^num_searched,) mean scores over `num_prompts` prompts."""
        return np.array([row[: self.num_prompts].mean() for row in self.scores[: self.size]])

    def best(self, *, target_ms: float) -> float:
        """The best mean score of the sub-space below a latency.

        Raises:
            BenchmarkError: There is nothing below it.
        """
        meeting = self.means[self.latency_ms[: self.size] <= target_ms]
        if not len(meeting):
            fastest = float(self.latency_ms[: self.size].min())
            share = math.ceil(100 * fastest / float(self.latency_ms[0])) / 100
            raise BenchmarkError(
                f"the fastest architecture takes {fastest:.3f} ms, but {target_ms:.3f} are asked for; ask for a target "
                f"ratio of {share:.2f} or more"
            )
        return float(meeting.max() if self.higher_is_better else meeting.min())
