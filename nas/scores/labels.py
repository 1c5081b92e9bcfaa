"""What people call a score: one place for tables, figures, pages and exports."""

from typing import Final

_CLIP: Final = "clip"  # as columns have it; `nas.scores.store` would bring pandas along


def score_label(name: str, /) -> str:
    """A score's name in a sentence or a column: "CLIP" for `clip`, else as it is written."""
    return "CLIP" if name == _CLIP else name


def score_axis(name: str, /) -> str:
    """The same on an axis: "CLIP score" for `clip`."""
    return "CLIP score" if name == _CLIP else name
