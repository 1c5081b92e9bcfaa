"""What the page's drawings need in numbers and words: axes, labels of blocks in every round, and their fates; pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from nas.reports.layout import Cell, Layout
from nas.reports.page.values import BlockState, BlockStory, Estimate, ReportData, RoundView
from nas.reports.page.words import action_label, chance, counted, interval, many, milliseconds

MODES: Final = ("state", "lost", "saved", "value")
_STATES: Final[tuple[BlockState, ...]] = (
    "present",
    "leaving",
    "gone",
    "growing",
    "copied",
)  # as the script numbers them
_WORDS: Final[Mapping[BlockState, str]] = {
    "present": "there",
    "leaving": "there, leaves after this round",
    "gone": "gone",
    "growing": "there, copied after this round",
    "copied": "there, copied",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A stretch of numbers that a drawing shows."""

    low: float
    high: float

    def at(self, value: float, /) -> float:
        """Where a number lies, in per cent of the axis; far ones lie just outside."""
        share = (value - self.low) / (self.high - self.low) if math.isfinite(value) else math.copysign(2.0, value)
        return round(100 * min(max(share, -0.2), 1.2), 2)


def axis_of(estimates: Iterable[Estimate], /, *, around_zero: bool = False, by_means: bool = False) -> Axis:
    """An axis that holds some intervals.

    Args:
        estimates: At least one, or a unit axis results.
        around_zero: Whether zero lies in its middle.
        by_means: Whether it holds the means and zero alone, with room beside them: single wide intervals go beyond.
    """
    estimates = list(estimates)
    ends = [each.mean for each in estimates] + [0.0] * (by_means and bool(estimates))
    if not by_means:
        ends += [end for each in estimates for end in (each.low, each.high)]
    ends = [end for end in ends if math.isfinite(end)] or [0.0, 1.0]
    low, high = min(ends), max(ends)
    if around_zero:
        low, high = -max(-low, high, 0.0), max(-low, high, 0.0)
    room = (0.25 if by_means else 0.04) * (high - low) or 0.5
    return Axis(low=low - room, high=high + room)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreGroup:
    """Scores of base and found on the same prompts: what these are, (label, kind, score) and found minus base."""

    words: str
    rows: tuple[tuple[str, str, Estimate], ...]
    difference: Estimate | None


def score_groups(data: ReportData, /) -> tuple[ScoreGroup, ...]:
    """What the story draws of scores: on captions that took no part, where there are such, then those chosen by."""
    numbers = data.numbers
    found = "found" if data.state == "finished" else "so far"
    chosen_by = f"selection: the {counted(numbers.num_prompts or 0, 'prompt')} that the search chose by"
    groups = (
        (f"{counted(numbers.num_held_out or 0, 'held-out caption')}, which took no part", numbers.base_held_out,
         numbers.held_out, numbers.held_out_difference),
        (chosen_by, numbers.base_score, numbers.score, numbers.difference),
    )  # fmt: skip
    return tuple(
        ScoreGroup(
            words=words,
            rows=(((numbers.origin, "", base),) if base else ()) + ((found, "found", now),),
            difference=difference,
        )
        for words, base, now, difference in groups
        if now is not None
    )


def block_labels(data: ReportData, layout: Layout, /) -> tuple[tuple[str, ...], ...]:
    """What stands in every block, round by round."""
    return tuple(
        tuple(_label(block, cell, view, rounds=data.rounds) for view in data.rounds)
        for block, cell in zip(data.blocks, layout.cells, strict=True)
    )


def _label(block: BlockStory, cell: Cell, view: RoundView, *, rounds: Sequence[RoundView]) -> str:
    count = block.counts[view.index]
    if count == 0:
        left = next((rounds[i].round for i in range(view.index - 1, -1, -1) if block.counts[i] > 0), None)
        return "gone" if left is None else f"round {left}"
    return replace(cell, count=count).label


def fate(block: BlockStory, /, *, names: Mapping[str, str], num_steps: Mapping[int, int]) -> str:
    """What became of a block, in words.

    Args:
        block: The block.
        names: Of blocks, for people.
        num_steps: Executed actions by round.
    """
    sentences = []
    for decision in block.decisions:
        what = "Removed" if decision.action.startswith("-") else "Copied"
        many_steps = num_steps.get(decision.round, 1)
        order = f", step {decision.order} of {many_steps}" if many_steps > 1 else ""
        sentence = f"{what} after round {decision.round}{order}."
        if decision.chance is not None and decision.runner_up:
            sentence += (
                f" Chance that it is as good as the best step left, to "
                f"{action_label(decision.runner_up, names)}: {chance(decision.chance)}."
            )
        sentences.append(sentence)
    now = block.counts[-1]
    if not sentences:
        return "It stays." if now >= block.num_base else "It is gone."
    if now > block.num_base:
        sentences.append(f"There are {now} of it at the end.")
    elif now == block.num_base:
        sentences.append("It is there at the end.")
    return " ".join(sentences)


def round_words(data: ReportData, view: RoundView, /) -> str:
    """A round in a line, as the slider says it."""
    blocks = sum(block.counts[view.index] for block in data.blocks)
    found = ", what was found" if view.is_found else ""
    return (
        f"Round {view.round}{found}: {milliseconds(view.latency_ms)}, {data.score.words} {interval(view.score)}, "
        f"{counted(blocks, 'block')}, {many(view.num_params)} parameters"
    )


def script_data(data: ReportData, /, *, labels: Sequence[Sequence[str]], modes: Mapping[str, str]) -> dict[str, Any]:
    """What the page's script knows; numbers and texts alone.

    Args:
        data: The report.
        labels: As `block_labels` gives them.
        modes: What blocks may be coloured by, in words.
    """
    index = {view.round: view.index for view in data.rounds}
    first = next((answer.block for answer in data.answers if answer.block), None)
    names = [block.name for block in data.blocks]
    return {
        "first": names.index(first) if first in names else 0,
        "modes": dict(modes),
        "opens": data.opens_at,
        "rounds": [round_words(data, view) for view in data.rounds],
        "blocks": [
            {
                "label": block.label,
                "labels": list(own),
                "states": [_STATES.index(block.state(view.index)) for view in data.rounds],
                "words": [_WORDS[block.state(view.index)] for view in data.rounds],
                "scores": {
                    index[each.round]: [_finite(each.loss.mean), _finite(each.saved_ms), _finite(each.value)]
                    for each in block.scored
                    if each.round in index
                },
            }
            for block, own in zip(data.blocks, labels, strict=True)
        ],
    }


def _finite(value: float | None) -> float | None:
    return float(f"{value:.4g}") if value is not None and math.isfinite(value) else None
