"""The bundled model's parts and one finished search, made once a session; tests leave them as they find them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

import nas.export.write
from nas.evaluation.clip.model import ClipModel
from nas.export.verify import verify
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from search_spaces.folders.loading import load_unet
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR
from tests.nas.searching import search
from tests.nas.synthetic import write_experiment


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Bit-equal results need a fixed number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def parts() -> PipelineParts:
    return PipelineParts.load(ModelFolder(PIPELINE_DIR))


@pytest.fixture(scope="session")
def clip() -> ClipModel:
    return ClipModel(str(OPEN_CLIP_DIR))


@pytest.fixture(scope="session")
def unet() -> UNet2DConditionModel:
    return load_unet(PIPELINE_DIR).requires_grad_(False)


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config of the small search, beside all that it names."""
    return write_experiment(tmp_path_factory.mktemp("experiment"))


@pytest.fixture(scope="session")
def run(experiment: Path) -> Path:
    """A finished run of the small search that nobody disturbed."""
    search(experiment, experiment.parent / "undisturbed")
    return experiment.parent / "undisturbed"


@pytest.fixture
def checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of an export without a process of its own, which takes its time to import torch."""
    monkeypatch.setattr(nas.export.write, "run_verification", verify)
