"""A comparison of runs in words: what stands in each line of its table, and what a table cannot say. Pure."""

from collections.abc import Iterator
from math import isfinite
from typing import Final

from nas.reports.comparison import RunComparison
from nas.reports.hypervolume import FrontComparison
from nas.reports.summary import in_words
from nas.scores.labels import score_label

_WORDS: Final = {True: "yes", False: "no", None: ""}


def lines(found: RunComparison, /) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a line is about, and what it says of each run."""
    rows, scores = found.rows, {row.score for row in found.rows}
    label = score_label(scores.pop()) if len(scores) == 1 else "score"
    yield "state", tuple(row.state + (f", {row.stop}" if row.stop else "") for row in rows)
    yield "target, ms", tuple(_ms(row.target_latency_ms) for row in rows)
    yield "predicted, ms", tuple(_ms(row.predicted_latency_ms) for row in rows)
    yield "target met", tuple(_WORDS[row.target_met] for row in rows)
    yield f"{label}, selection", tuple(in_words(row) for row in rows)
    yield "prompts", tuple(str(row.num_prompts) if row.num_prompts else "" for row in rows)
    yield "better than the first", tuple(_gain(found, index) for index in range(len(rows)))
    yield "parameters", tuple(f"{row.num_params / 1e6:.2f} M" if row.num_params else "" for row in rows)
    yield "rounds", tuple(str(row.num_rounds) for row in rows)
    yield "pictures", tuple(f"{row.num_pictures:,}" for row in rows)
    if any(row.num_passes for row in rows):
        yield "UNet passes of other scores", tuple(f"{row.num_passes:,}" for row in rows)
    yield "hours", tuple(f"{row.hours:.2f}" for row in rows)
    if (fronts := found.fronts) is not None:
        yield "UNet passes in all", tuple(f"{run.passes:,}" for run in fronts.runs)
        yield "hypervolume", tuple(f"{run.hypervolume:.5f}" for run in fronts.runs)
        for budget in fronts.budgets:
            cells = (f"{run.best_at[budget]:.4f}" if isfinite(run.best_at[budget]) else "none" for run in fronts.runs)
            yield f"best after {budget:,} passes", tuple(cells)
        if len(fronts.groups) < len(fronts.runs):
            yield "seeds alike", tuple(f"group {run.group + 1}" for run in fronts.runs)
    for key, values in found.settings.items():
        yield key, tuple(str(value) for value in values)
    yield "only here", tuple(" ".join(only) for only in found.only)


def sentences(found: RunComparison, /) -> Iterator[str]:
    """Pairs, actions in common, and what is missing."""
    first = found.rows[0].name
    for row, difference in zip(found.rows, found.differences, strict=True):
        if difference is None:
            continue
        if (gain := difference.gain) is None:
            yield f"{row.name} is not paired with {first}: {difference.why_not}"
        elif isfinite(gain.low):
            sure = "surely not 0" if gain.low > 0 or gain.high < 0 else "within chance"
            yield (
                f"{row.name} and {first} share {gain.num_prompts} prompts; their difference is {sure} "
                f"({gain.confidence:.0%} interval)"
            )
    if found.fronts is not None:
        yield from _of_seeds(found.fronts)
    yield f"actions in common: {' '.join(found.common) or 'none'}"
    yield from (f"note: {notice}" for notice in found.notices)


def _of_seeds(fronts: FrontComparison) -> Iterator[str]:
    """Spread over seeds, and paired tests of groups."""
    for group, (mean, std, num) in fronts.groups.items():
        if num > 1:
            yield f"group {group + 1}: hypervolume {mean:.5f} with a standard deviation of {std:.5f} over {num} seeds"
    for test in fronts.tests:
        yield (
            f"group {test.second + 1} has {test.mean_difference:+.5f} more hypervolume than group {test.first + 1} "
            f"over {len(test.seeds)} shared seeds: p = {test.p_permutation:.3f} by permutation of pairs, "
            f"{test.p_wilcoxon:.3f} by Wilcoxon's signed ranks; the least p that so many seeds allow is "
            f"{2 / 2 ** len(test.seeds):.3f}"
        )


def _gain(found: RunComparison, index: int) -> str:
    difference = found.differences[index]
    if difference is None:
        return ""
    gain = difference.gain
    return f"{gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]" if gain is not None else "not paired"


def _ms(value: float) -> str:
    return f"{value:.3f}" if isfinite(value) else ""
