"""ModelFolder: complete at birth, a value afterwards, and light luggage."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nas.pipelines.index import PipelineClass
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.source import find_model
from search_spaces.files.digests import folder_digest
from search_spaces.folders.loading import ModelFolderError, load_unet
from search_spaces.shapes import PIPELINE_DIR
from tests.folders import write_pipeline


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PIPELINE_DIR, tmp_path / "pipeline"))


def test_it_knows_what_its_folder_says_of_itself(folder: Path) -> None:
    model = ModelFolder(folder)
    assert model.index.pipeline_class is PipelineClass.SD
    assert model.name == "pipeline"
    assert ModelFolder(PIPELINE_DIR).name == find_model("shapes").name == "shapes"
    assert model.part("vae") == folder / "vae"
    assert model.part_config("vae")["latent_channels"] == model.unet_config()["in_channels"]
    assert model == find_model(folder) == find_model(str(folder))
    assert len({model, ModelFolder(folder), ModelFolder(folder, name="another name")}) == 2


def test_an_incomplete_one_cannot_exist(folder: Path) -> None:
    (folder / "vae" / "config.json").unlink()
    with pytest.raises(ModelFolderError, match=r"is not a StableDiffusionPipeline folder: it has no vae/config\.json"):
        ModelFolder(folder)
    with pytest.raises(ModelFolderError, match=r"it has no vae/config\.json"):
        find_model(folder)


def test_its_variant_is_that_of_every_part(tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "half", width=16, dtype=torch.float16, variant="fp16")
    model = ModelFolder(folder, variant="fp16")
    assert model.load_unet(dtype=torch.float16).dtype == torch.float16
    with pytest.raises(ModelFolderError, match=r"(?s)vae holds the variant 'fp16'.*unet holds the variant 'fp16'"):
        ModelFolder(folder)


def test_it_loads_the_unet_of_its_folder(folder: Path) -> None:
    ours, theirs = ModelFolder(folder).load_unet().state_dict(), load_unet(folder).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.items())


def test_it_travels_small_and_reads_no_disk_where_it_arrives(folder: Path) -> None:
    """Workers unpack it on machines whose folders are read when weights are, and not before."""
    model = ModelFolder(folder, name="of the hub")
    luggage = pickle.dumps(model)
    assert len(luggage) < 1000
    shutil.rmtree(folder)
    arrived = pickle.loads(luggage)
    assert (arrived, arrived.index) == (model, model.index)
    with pytest.raises(ModelFolderError, match="there is no model folder"):
        arrived.load_unet()


def test_its_birth_imports_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from nas.pipelines.source import find_model;"
        f"find_model({str(PIPELINE_DIR)!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "name",
    ["README.md", "unet/diffusion_pytorch_model.fp16.safetensors", "vae/model.bin", "safety_checker/config.json"],
)
def test_its_digest_covers_nothing_that_is_not_read(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"whatever")
    assert ModelFolder(folder).digest() == ModelFolder(PIPELINE_DIR).digest() == folder_digest(PIPELINE_DIR)


def test_its_digest_covers_everything_that_is_read(folder: Path) -> None:
    model = ModelFolder(folder)
    seen = {model.digest()}
    for path in model.files():
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        seen.add(model.digest())
        path.write_bytes(before)
    assert {path.relative_to(folder).as_posix() for path in model.files()} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    }
    assert len(seen) == 1 + len(model.files())


def test_its_digest_covers_all_shards_and_their_index(tmp_path: Path) -> None:
    model = ModelFolder(write_pipeline(tmp_path / "model", width=16, sharded=True))
    assert {path.name for path in model.part_files("unet")} == {path.name for path in model.part("unet").iterdir()}
