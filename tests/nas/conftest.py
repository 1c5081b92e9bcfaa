"""Models and one finished search, made once a session; tests leave them as they find them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

import nas.export.write
from nas.evaluation.clip.model import ClipModel
from nas.evaluation.setting import ScoreSetting
from nas.export.verify import verify
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet
from nas.testing.playing import SMALL_UNET
from nas.testing.scores import CAPTIONS
from search_spaces.folders.loading import load_unet
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR
from tests.folders import write_pipeline
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
def model(experiment: Path) -> Path:
    """The pipeline folder that the small search is about."""
    return experiment.parent / "model"


@pytest.fixture(scope="session")
def small_setting(model: Path) -> ScoreSetting:
    """What scores are tried in: five prompts in chunks of two, two guided steps of the small model."""
    return ScoreSetting(
        model=ModelFolder(model),
        validation=ValidationSet.from_captions(list(CAPTIONS), seed=0, chunk_size=2),
        protocol=SamplingProtocol(num_steps=2, guidance_scale=2),
        latent_shape=(4, SMALL_UNET["sample_size"], SMALL_UNET["sample_size"]),
    )


@pytest.fixture(scope="session")
def sd1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow pipeline of SD-1.5's topology: what papers made of SD-1.5 is made of it."""
    return write_pipeline(tmp_path_factory.mktemp("models") / "sd1", kind="sd1", width=16)


@pytest.fixture(scope="session")
def run(experiment: Path) -> Path:
    """A finished run of the small search that nobody disturbed."""
    search(experiment, experiment.parent / "undisturbed")
    return experiment.parent / "undisturbed"


@pytest.fixture
def checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of an export without a process of its own, which takes its time to import torch."""
    monkeypatch.setattr(nas.export.write, "run_verification", verify)
