"""A config to begin with, and the demo's: the same search of the bundled model, which every installation has."""

from enum import StrEnum
from pathlib import Path
from typing import Final

from search_spaces.files.durable.writing import write_text
from search_spaces.files.user_error import UserError

TEMPLATE: Final = Path(__file__).with_name("template.yaml")
# What the demo trains, where the template, which has no pictures, trains nothing.
DEMO_TRAINING: Final = (
    "robust_training.iterations=15",
    "robust_training.recovery_iterations=30",
    "robust_training.drop_probability=0.1",
    "robust_training.batch_size=16",
    "robust_training.learning_rate=0.0001",
)


class Preset(StrEnum):
    """By what a config to begin with decides.

    `OURS` as the defaults do (docs/decisions_under_noise.md); `PAPER` as SnapFusion's Algorithm 1 does, to the letter.
    """

    OURS = "ours"
    PAPER = "paper"


# The template ends with the section `search`, so that what a preset adds to it may follow at once.
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


def write_template(file: Path, /, *, preset: Preset = Preset.OURS) -> None:
    """Write a commented config that works as it stands.

    Args:
        file: Where to; must not exist.
        preset: By what it decides.

    Raises:
        UserError: Something stands there already, or there is no such folder.
        StorageError: The disk refuses.
    """
    if file.exists() or file.is_symlink():
        raise UserError(f"{file} must be free, but something stands there; give another name, or remove it")
    if not file.parent.is_dir():
        raise UserError(f"there is no folder {file.parent} to write {file.name} to; make it first")
    write_text(file, TEMPLATE.read_text(encoding="utf-8") + _ADDED[preset])
