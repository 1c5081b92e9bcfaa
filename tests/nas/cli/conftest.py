"""What commands are tried on."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def folder(experiment: Path, tmp_path: Path) -> Path:
    """A copy of the small experiment to break."""
    for name in ("experiment.yaml", "table.json", "captions.txt"):
        shutil.copy(experiment.parent / name, tmp_path)
    for name in ("model", "pictures"):
        shutil.copytree(experiment.parent / name, tmp_path / name)
    return tmp_path
