"""Who waits for a sweep hears of each trial that ends: what it came to, and how long the others will take."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.tune import Callback


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """A trial that ended.

    Attributes:
        number: How many have ended, this one included.
        num: Of all trials.
        values: What it changed, by dotted name; empty where it failed.
        objective: What it reached; None where it failed.
        score: Of what it found.
        latency_ms: Predicted for it.
        target_met: Whether it keeps all limits.
        seconds: What it took.
        is_read: Whether it was finished before, so that it was only read.
        left_s: What the others will take, by those that ran; None before any did.
    """

    number: int
    num: int
    values: Mapping[str, Any]
    objective: float | None
    score: float
    latency_ms: float
    target_met: bool
    seconds: float
    is_read: bool
    left_s: float | None


Listener = Callable[[TrialEnded], None]


def nobody(ended: TrialEnded, /) -> None:
    """Nobody waits."""


class Telling:
    """Makes of what is heard of trials what a person is told.

    Args:
        num: Of all trials.
        num_finished: Of those that were finished before this call, which are only read.
        concurrency: Trials at a time.
        listen: Who is told.
        clock: In seconds.
    """

    def __init__(
        self,
        *,
        num: int,
        num_finished: int,
        concurrency: int,
        listen: Listener,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._num, self._num_unread, self._concurrency = num, num_finished, concurrency
        self._listen, self._clock = listen, clock
        self._began_s: dict[str, float] = {}
        self._took_s: list[float] = []
        self._num_ended = 0

    def start(self, trial: str, /) -> None:
        """A trial begins, by its name."""
        self._began_s[trial] = self._clock()

    def end(self, trial: str, said: Mapping[str, Any] | None, /) -> None:
        """A trial ended, with what it reported; None = it failed."""
        now = self._clock()
        seconds, is_read = now - self._began_s.get(trial, now), bool(said and said["is_read"])
        self._num_ended += 1
        self._num_unread -= is_read
        if not is_read:
            self._took_s.append(seconds)
        left = max(0, self._num - self._num_ended - max(0, self._num_unread))
        pace = sum(self._took_s) / len(self._took_s) / self._concurrency if self._took_s else None
        said = said or {"values": {}, "objective": None, "score": 0.0, "latency_ms": 0.0, "target_met": False}
        names = ("values", "objective", "score", "latency_ms", "target_met")
        self._listen(
            TrialEnded(
                number=self._num_ended,
                num=self._num,
                seconds=seconds,
                is_read=is_read,
                left_s=None if pace is None else left * pace,
                **{name: said[name] for name in names},
            )
        )

    def callback(self) -> "Callback":
        """What Ray Tune calls."""
        from ray.tune import Callback

        telling = self

        class Heard(Callback):
            def __reduce__(self) -> Any:
                return Callback, ()  # the state that Tune keeps on disk has no screen

            def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
                telling.start(trial.trial_id)

            def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
                telling.end(trial.trial_id, trial.last_result)

            def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
                telling.end(trial.trial_id, None)

        return Heard()
