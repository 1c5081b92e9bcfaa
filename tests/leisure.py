"""How much a costly law tries: all that it says, and a quarter of it while one writes (`make test-fast`)."""

from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import settings

T = TypeVar("T")

AT_LEISURE = 100  # examples of a law by default, which the profile that tests are run with lowers


def _share() -> float:
    return min(1.0, settings().max_examples / AT_LEISURE)


def examples(num: int, /, **more: Any) -> settings:
    """So many examples of a law at leisure, and at least two; `more` are settings of hypothesis."""
    return settings(max_examples=max(2, round(num * _share())), **more)


def some(values: Sequence[T], /) -> list[T]:
    """All values at leisure, and otherwise some from anywhere among them, the first one always."""
    return list(values[:: round(1 / _share())])
