"""How many steps a training takes: a number, or as many as fit into a time."""

import time
from collections.abc import Callable, Iterator

_FIRST, _LAST = 20, 60  # steps between which the speed is measured


def paced(
    name: str, *, steps: int, seconds: float | None, start: int = 0, settle: Callable[[], object]
) -> Iterator[tuple[int, int]]:
    """(step, how many there will be), of a number of steps, or of seconds where they are given.

    Args:
        name: Of the training, for the line that says the number.
        steps: How many; a first guess where there are seconds.
        seconds: How long.
        start: Steps done before.
        settle: Waits until the device has done what it was told.
    """
    clock, step = time.monotonic(), start
    timed = clock
    while step < steps:
        yield step, steps
        step += 1
        if seconds is None:
            continue
        if step - start == _FIRST:
            settle()
            timed = time.monotonic()
        if step - start == _LAST:
            settle()
            each = (time.monotonic() - timed) / (_LAST - _FIRST)
            steps = step + max(300, int((seconds - (time.monotonic() - clock)) / each))
            print(f"{name}: {1e3 * each:.1f} ms a step, {steps} steps", flush=True)
        if time.monotonic() - clock > 1.1 * seconds:
            print(f"{name}: out of time at step {step} of {steps}", flush=True)
            return
