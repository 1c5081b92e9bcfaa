"""Numbers as people read them: true minus signs, no more digits than an interval allows, nothing where nothing is."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from nas.reports.page.values import Estimate

MINUS: Final = "\N{MINUS SIGN}"
NONE: Final = "\N{EN DASH}"
_MOST_DIGITS: Final = 6


def number(value: float | None, /, *, digits: int = 3, signed: bool = False) -> str:
    """A number with a true minus sign; an en dash where there is none, an infinity sign where it has no bound."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return (MINUS if value < 0 else "+" if signed else "") + "\N{INFINITY}"
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    if float(text.replace(",", "")) == 0:  # neither -0 nor +0
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def milliseconds(value: float | None, /, *, signed: bool = False) -> str:
    """Milliseconds with three significant digits or so: "21.6 ms", "0.42 ms"."""
    if value is None or not math.isfinite(value):
        return NONE
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2
    return f"{number(value, digits=digits, signed=signed)}\N{NO-BREAK SPACE}ms"


def percent(share: float | None, /) -> str:
    """A share of 1 in whole per cent."""
    return NONE if share is None or not math.isfinite(share) else f"{number(100 * share, digits=0)}\N{NO-BREAK SPACE}%"


def chance(probability: float | None, /) -> str:
    """A probability, never rounded to certainty."""
    if probability is None or math.isnan(probability):
        return NONE
    rounded = round(100 * probability)
    text = ">\N{THIN SPACE}99" if rounded >= 100 else "<\N{THIN SPACE}1" if rounded <= 0 else str(rounded)
    return f"{text}\N{NO-BREAK SPACE}%"


def digits_of(estimate: Estimate, /) -> int:
    """Digits after the point that an interval allows: its half width to two places."""
    half = (estimate.high - estimate.low) / 2
    if not math.isfinite(half) or half <= 0:
        return 4
    return min(max(1 + math.ceil(-math.log10(half)), 2), _MOST_DIGITS)


def interval(estimate: Estimate | None, /, *, signed: bool = False) -> str:
    """Such as "+0.002 [−0.012, +0.016]"."""
    if estimate is None:
        return NONE
    digits = digits_of(estimate)
    low, high = (number(end, digits=digits, signed=signed) for end in (estimate.low, estimate.high))
    return f"{number(estimate.mean, digits=digits, signed=signed)} [{low}, {high}]"


def many(count: float | None, /) -> str:
    """A large count: "4.88 M"."""
    if count is None or math.isnan(count):
        return NONE
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.{2 if count < 100 * size else 0}f}\N{NO-BREAK SPACE}{letter}"
    return f"{count:.0f}"


def duration(seconds: float, /) -> str:
    """Such as "3 min" or "5.2 h"."""
    if seconds < 90:
        return f"{seconds:.0f}\N{NO-BREAK SPACE}s"
    if seconds < 5400:
        return f"{seconds / 60:.0f}\N{NO-BREAK SPACE}min"
    return f"{seconds / 3600:.1f}\N{NO-BREAK SPACE}h"


def day(unix_seconds: float | None, /) -> str:
    """A moment in UTC; "" where none is known."""
    if unix_seconds is None:
        return ""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%d %H:%M} UTC"


def counted(count: int, noun: str, /) -> str:
    """A count with its noun: "1 block", "3 blocks"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def sentence(text: str, /) -> str:
    """A message as a sentence: it begins with a capital and ends with a point."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def action_label(action: str, names: Mapping[str, str], /) -> str:
    """What an action does, in words: "remove Down-1 ResNet 2"; one that `names` lacks stays as it is written."""
    name = names.get(action[1:])
    return action if name is None else f"{'remove' if action[0] == '-' else 'copy'} {name}"
