"""The door for models: folders as they are, repositories from a cache laid out like the hub's; else plain words."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from nas.cli.app import app
from nas.config.loading import load_config
from nas.config.pins import pinned
from nas.config.resolving import resolve
from nas.pipelines.index import check_pipeline_folder
from nas.pipelines.source import file_patterns, find_model, is_hub_reference, local_folder
from search_spaces.files.strict_yaml import dumped
from search_spaces.folders.loading import ModelFolderError
from tests.folders import write_pipeline
from tests.nas.synthetic import write_experiment

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def lay_out(cache: Path, folder: Path, /, *, name: str) -> Path:
    """A snapshot in a hub cache, as a download leaves it: blobs by digest, names that link to them."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    for path in folder.rglob("*"):
        if path.is_file():
            blob = repository / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
            shutil.copy(path, blob)
            link = snapshot / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("hub")
    folder = write_pipeline(base / "folder", width=16, dtype=torch.float16, variant="fp16")
    lay_out(base / "cache", folder, name="someone/half")
    return base / "cache"


ASKED = [
    *((f"hub:someone/half{suffix}", "fp16", True) for suffix in ("", "@main", f"@{COMMIT}")),
    ("hub:someone/half", None, False),
    *((reference, "fp16", True) for reference in ("hub:someone/absent", "hub:someone/half@v9")),
]
OFFLINE = """
import json, sys
from nas.pipelines.source import local_folder
from search_spaces.files.user_error import UserError
told = []
for reference, variant, weights in json.loads(sys.argv[1]):
    try:
        told.append(str(local_folder(reference, variant=variant, weights=weights)))
    except UserError as error:
        told.append(f"error: {error}")
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def offline(cache: Path) -> dict[tuple[str, str | None, bool], str]:
    """The folders, or the errors, of a process without a network: what is cached is read from variables once."""
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, json.dumps(ASKED)],
        env=os.environ | {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(ASKED, json.loads(done.stdout), strict=True))


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert local_folder(tmp_path) == local_folder(str(tmp_path)) == tmp_path
    assert not is_hub_reference(tmp_path)


def test_what_is_no_folder_is_named_with_what_helps(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"there is no model folder .*absent; give .* or shapes, which is"):
        local_folder(tmp_path / "absent")
    file = tmp_path / "model.safetensors"
    file.touch()
    with pytest.raises(
        ModelFolderError, match=r"but .* is a file; .* `nas convert \S+model\.safetensors FOLDER --config"
    ):
        local_folder(file)


@pytest.mark.parametrize("reference", ["hub:", "hub:name", "hub:a/b/c", "hub:a/b@", "hub:a b/c"])
def test_references_are_spelled_one_way(reference: str) -> None:
    with pytest.raises(ModelFolderError, match=r"is named hub:ORG/NAME or hub:ORG/NAME@REVISION, got 'hub:"):
        local_folder(reference)


@pytest.mark.parametrize("suffix", ["", "@main", f"@{COMMIT}"])
def test_a_cached_repository_is_found_without_a_network(
    suffix: str, offline: dict[tuple[str, str | None, bool], str]
) -> None:
    folder = Path(offline[f"hub:someone/half{suffix}", "fp16", True])
    assert folder.name == COMMIT
    check_pipeline_folder(folder, variant="fp16")


def test_configs_alone_are_enough_for_some(offline: dict[tuple[str, str | None, bool], str]) -> None:
    assert Path(offline["hub:someone/half", None, False]).name == COMMIT


@pytest.mark.parametrize("reference", ["hub:someone/absent", "hub:someone/half@v9"])
def test_what_is_neither_cached_nor_reachable_is_said(
    reference: str, offline: dict[tuple[str, str | None, bool], str]
) -> None:
    said = offline[reference, "fp16", True]
    assert said.startswith(f"error: {reference} is not in the local cache and cannot be fetched ("), said
    assert said.endswith("connect to the network, or copy its folder here and give the folder")


def test_only_what_is_needed_is_fetched() -> None:
    from fnmatch import fnmatch

    def fetched(name: str, **asked: object) -> bool:
        patterns = file_patterns(**({"variant": None, "weights": True} | asked))  # type: ignore[arg-type]
        return any(fnmatch(name, pattern) for pattern in patterns)

    wanted = [
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.json",
        "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
        "text_encoder_2/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer_2/tokenizer.json",
        "scheduler/scheduler_config.json",
    ]
    unwanted = [
        "v1-5-pruned.safetensors",
        "v1-5-pruned.ckpt",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/model.onnx",
        "unet/model.py",
        "safety_checker/model.safetensors",
        "safety_checker/config.json",
        "feature_extractor/preprocessor_config.json",
        "README.md",
    ]
    assert [name for name in wanted if not fetched(name)] == []
    assert [name for name in unwanted if fetched(name)] == []
    assert fetched("unet/diffusion_pytorch_model.fp16.safetensors", variant="fp16")
    assert fetched("unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors", variant="fp16")
    assert not fetched("unet/diffusion_pytorch_model.safetensors", variant="fp16")
    assert not fetched("unet/diffusion_pytorch_model.safetensors", weights=False)


@pytest.fixture
def hub(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache as that of this process, to be changed."""
    mine = Path(shutil.copytree(cache, tmp_path / "hub", symlinks=True))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(mine))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return mine


def test_a_config_may_name_a_repository(tmp_path: Path, hub: Path) -> None:
    path = write_experiment(tmp_path)
    config = load_config(path, overrides=["model=hub:someone/half", "model_variant=fp16"])
    assert str(config.model) == "hub:someone/half", "nothing is fetched to read a config"
    assert str(pinned(config).model) == f"hub:someone/half@{COMMIT}"
    assert str(pinned(replace(config, model=Path("hub:someone/half@main"))).model) == f"hub:someone/half@{COMMIT}"
    assert find_model(pinned(config).model, variant="fp16").name == "half"
    result = CliRunner().invoke(app, ["space", "show", "hub:someone/half", "--format", "json"])
    assert result.exit_code == 0, result.output
    with pytest.raises(
        ModelFolderError, match=r"hub:someone/half must hold weights .*unet holds the variant 'fp16'; ask"
    ):
        pinned(load_config(path, overrides=["model=hub:someone/half"]))


@pytest.mark.parametrize("kept_as", ["a reference", "a snapshot, as 0.1.0 had it"])
def test_a_run_keeps_the_commit_that_it_was_made_with(tmp_path: Path, hub: Path, kept_as: str) -> None:
    repository, later = hub / "models--someone--half", COMMIT.replace("0", "f")
    typed = ["model=hub:someone/half", "model_variant=fp16", "search.start=hub:someone/half"]
    config = load_config(write_experiment(tmp_path), overrides=typed)
    kept = pinned(config).plain()
    assert (kept["model"], kept["search"]["start"]) == (f"hub:someone/half@{COMMIT}",) * 2
    if kept_as != "a reference":
        kept["model"] = str(repository / "snapshots" / COMMIT)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(dumped(kept), encoding="utf-8")
    (repository / "snapshots" / COMMIT).rename(repository / "snapshots" / "aside")
    shutil.copytree(repository / "snapshots" / "aside", repository / "snapshots" / later, symlinks=True)
    (repository / "snapshots" / "aside").rename(repository / "snapshots" / COMMIT)
    (repository / "refs" / "main").write_text(later)

    now, new = pinned(config, run=tmp_path / "run"), pinned(config, run=tmp_path / "another")
    assert (str(now.model), now.search.start) == (f"hub:someone/half@{COMMIT}",) * 2
    assert (str(new.model), new.search.start) == (f"hub:someone/half@{later}",) * 2
    named = pinned(replace(config, model=Path(f"hub:someone/half@{later}")), run=tmp_path / "run")
    assert str(named.model) == f"hub:someone/half@{later}", "a revision that is typed is meant"
    assert named.identity() == now.identity() == new.identity()


def test_a_search_of_a_single_file_says_how_to_make_a_folder(tmp_path: Path) -> None:
    path = write_experiment(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ModelFolderError, match=r"`nas convert \S+model\.safetensors FOLDER --config CONFIG`"):
        resolve(load_config(path, overrides=[f"model={tmp_path / 'model.safetensors'}"]))
