"""A config to begin with, and the demo's: the same search of the bundled model, which every installation has."""

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


def write_template(file: Path, /) -> None:
    """Write a commented config that works as it stands.

    Raises:
        UserError: Something stands there already, or there is no such folder.
        StorageError: The disk refuses.
    """
    if file.exists() or file.is_symlink():
        raise UserError(f"{file} must be free, but something stands there; give another name, or remove it")
    if not file.parent.is_dir():
        raise UserError(f"there is no folder {file.parent} to write {file.name} to; make it first")
    write_text(file, TEMPLATE.read_text(encoding="utf-8"))
