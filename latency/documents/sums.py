"""What the sum of a table's blocks over the whole model may be, and what a sum outside points to. Pure."""

from typing import Final

# Blocks measured alone summed to 0.94 .. 1.05 of the whole on every runtime tried; twice off is a wrong unit or batch.
TRUSTED_SUM: Final = (0.90, 1.10)
POSSIBLE_SUM: Final = (0.5, 2.0)


def within(ratio: float, bounds: tuple[float, float], /) -> bool:
    """Whether a sum lies between two bounds."""
    return bounds[0] <= ratio <= bounds[1]


def sum_law(ratio: float, /) -> str:
    """The law, the value, and what the value points to where it breaks the law."""
    low, high = TRUSTED_SUM
    law = f"blocks should sum to {low:.2f} .. {high:.2f} of the end-to-end latency, but got {ratio:.3f}"
    return f"{law}: {cause_of(ratio)}" if cause_of(ratio) else law


def cause_of(ratio: float, /) -> str:
    """Why blocks that were timed alone sum to less or more than the whole, and what helps; "" where they agree."""
    if within(ratio, TRUSTED_SUM):
        return ""
    if ratio < TRUSTED_SUM[0]:
        return (
            "they cost less alone than inside the model, mostly because a block that is called over and over finds its "
            "weights in the caches; time all files in turn, round after round, as the kit's run_onnxruntime.py and "
            "`nas latency measure` do"
        )
    return (
        "they cost more alone than inside the model, because each call enters the runtime and what the runtime fuses "
        "across blocks is missing; time the kit's blocks/empty_call too, which is subtracted from every block, and all "
        "files in one go on a device that does nothing else"
    )
