"""A small model, a CLIP, captions and real pictures: what an evaluation of a second needs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.curves.asked.settings import EvaluationSettings
from nas.evaluation.settings import ClipSettings
from search_spaces.shapes import PIPELINE_DIR
from search_spaces.shapes.__main__ import write_pictures
from tests.folders import write_small_pipeline

CLIP = PIPELINE_DIR.parent / "open_clip"
CAPTIONS = PIPELINE_DIR.parent / "validation_captions.txt"

Asked = Callable[..., EvaluationSettings]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_pipeline(tmp_path_factory.mktemp("curves") / "small")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("curves") / "real"
    write_pictures(folder, num=24, seed=0)
    return folder


@pytest.fixture(scope="session")
def asked(pictures: Path) -> Asked:
    def make(**changes: Any) -> EvaluationSettings:
        values: dict[str, Any] = {
            "clip": ClipSettings(model=str(CLIP)),
            "captions": CAPTIONS,
            "pictures": pictures,
            "num_captions": 12,
            "steps": (1, 2),
            "guidance": (1.0, 3.0),
            "baselines": False,
            "chunk_size": 5,
        }
        return EvaluationSettings(**(values | changes))

    return make
