r"""What a picture takes by several models, in the same interleaved rounds: its text, a step, its decoding, and in all.

    python -m experiments.distillation.times shapes:50:2 runs/demo/export:4:2 runs/few-steps/pipeline:2:2

Each is FOLDER:STEPS:GUIDANCE; a model that is told its guidance takes one row a step at any. The others are compared
with the first. One core; some seconds a model.
"""

import re
import sys
from collections.abc import Mapping
from typing import Final

from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.source import find_model
from nas.stages.times import PARTS, PartTimes, measure_times
from search_spaces.files.user_error import UserError

_ASKED: Final = re.compile(r"(?P<folder>.+):(?P<steps>[1-9]\d*):(?P<guidance>\d+(?:\.\d+)?)")
ROUNDS: Final = 10


def asked(text: str, /) -> tuple[ModelFolder, int, float]:
    """Folder, steps and guidance of a text.

    Raises:
        UserError: It is spelled otherwise, or there is no such model.
    """
    found = _ASKED.fullmatch(text)
    if found is None:
        raise UserError(f"a model must be asked for as FOLDER:STEPS:GUIDANCE, such as shapes:50:2, but got {text!r}")
    return find_model(found["folder"]), int(found["steps"]), float(found["guidance"])


def table(times: Mapping[str, PartTimes], /) -> str:
    """A row a model, as Markdown."""
    base = next(iter(times.values()))
    lines = [f"| model | {', ms | '.join(PARTS)}, ms | steps | a picture, ms | times less |", "|---|" + "---:|" * 6]
    for name, each in times.items():
        parts = " | ".join(f"{each.times[part].median_ms:.1f}" for part in PARTS)
        less = base.total_ms / each.total_ms
        lines.append(f"| {name} | {parts} | {each.num_steps} | {each.total_ms:,.0f} | {less:.1f} |")
    return "\n".join(lines)


def main(texts: list[str]) -> None:
    """Measure, and say."""
    if not texts:
        sys.exit(__doc__)
    print(table(measure_times({text: asked(text) for text in texts}, threads=1, max_rounds=ROUNDS)))


if __name__ == "__main__":
    main(sys.argv[1:])
