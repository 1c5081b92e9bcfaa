"""A search to begin with, and the demo's: the same one, of the bundled model, which every installation has."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Final

TEMPLATE: Final = Path(__file__).with_name("template.yaml")
PICTURES: Final = "my-pictures"  # what it calls a folder of pictures that nobody has drawn yet
# What the demo trains, where the template, which has no pictures, trains nothing.
DEMO_TRAINING: Final = (
    "robust_training.iterations=15",
    "robust_training.recovery_iterations=30",
    "robust_training.drop_probability=0.1",
    "robust_training.batch_size=16",
    "robust_training.learning_rate=0.0001",
)


class Of(StrEnum):
    """Which job's file: a search, one that trains, one for several devices, or another's."""

    SEARCH = "search"
    TRAIN = "train"
    DEVICES = "devices"
    SWEEP = "sweep"
    STEPS = "steps"
    DECODER = "decoder"
    PIPELINE = "pipeline"
    EVALUATION = "evaluation"


class Preset(StrEnum):
    """By what a config to begin with decides.

    `OURS` as the defaults do (docs/decisions_under_noise.md); `PAPER` as SnapFusion's Algorithm 1 does, to the letter.
    """

    OURS = "ours"
    PAPER = "paper"


# The template ends with the section `search` and Algorithm 1's own settings, so that more of either may follow at once.
_OWN: Final = "  removals_per_round:"
_COMMENTED: Final = re.compile(r"^# (?=robust_training:|  )", re.MULTILINE)  # the section of a training
_DEVICES: Final = """\
  # Latency tables of further devices: a search each, and one by the slowest of all; `nas devices` compares them.
  devices: [shapes_cpu_onnxruntime]
"""
_ADDED: Final = {
    Preset.OURS: "",
    Preset.PAPER: """\

  # Decisions as in the paper: the mean score lost per millisecond, as exhaustive scoring finds it. A race may save
  # prompts on the way to that very choice; `racing.enabled: false` scores every prompt. The paper has 2,000 of them.
  value: paper
  indifference: 0.0
racing:
  rule: elimination
  tolerance: 0.0
""",
}


def search_text(
    *, preset: Preset = Preset.OURS, trains: bool = False, has_devices: bool = False, own: str | None = None
) -> str:
    """A commented search that works as it stands.

    Args:
        preset: By what it decides.
        trains: Whether it trains on pictures, as the demo does.
        has_devices: Whether it is for a second device, too.
        own: Lines of the section `search` in place of the settings of Algorithm 1.
    """
    head, begin, rest = TEMPLATE.read_text(encoding="utf-8").partition(_OWN)
    text = head + (begin + rest if own is None else own) + _DEVICES * has_devices + _ADDED[preset]
    return _COMMENTED.sub("", text) if trains else text
