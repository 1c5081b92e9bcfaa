"""Weight files on disk: variants, shards, types; and what is said of files that are absent, damaged or foreign."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from search_spaces.folders.checked_loading import load_model, without_weights
from search_spaces.folders.loading import ModelFolderError, load_unet
from search_spaces.folders.weight_files import read_header, stored_dtype, stored_tensors, weight_files
from tests.folders import write_pipeline
from tests.warm import python

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pipeline(tmp_path / "model", width=16)


def unet_of(folder: Path, /) -> Path:
    return folder / "unet"


def same(one: UNet2DConditionModel, other: UNet2DConditionModel, /) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_modules_without_weights_have_shapes_alone_and_others_are_drawn_again() -> None:
    before = torch.get_rng_state()
    with without_weights():
        empty = torch.nn.Linear(3, 2)
    assert (empty.weight.is_meta, empty.weight.shape) == (True, (2, 3))
    assert torch.equal(torch.get_rng_state(), before)
    assert 0 < torch.nn.Linear(3, 2).weight.abs().max() < 1


def test_shards_and_one_file_hold_the_same(folder: Path, tmp_path: Path) -> None:
    sharded = write_pipeline(tmp_path / "sharded", width=16, sharded=True)
    assert len(weight_files(sharded / "unet")) > 2
    assert stored_tensors(sharded / "unet") == stored_tensors(folder / "unet")
    assert same(load_unet(sharded), load_unet(folder))


@pytest.mark.parametrize("sharded", [False, True])
def test_a_variant_is_asked_for_by_name(sharded: bool, tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "m", width=16, dtype=torch.float16, variant="fp16", sharded=sharded)
    assert all("fp16" in path.name for path in weight_files(folder / "unet", variant="fp16"))
    half = load_unet(folder, variant="fp16", dtype=torch.float16)
    full = load_unet(folder, variant="fp16")
    assert (half.dtype, full.dtype) == (torch.float16, torch.float32)
    assert same(half.to(torch.float32), full)
    with pytest.raises(ModelFolderError, match=r"without a variant were asked for, .* holds the variant 'fp16'; ask"):
        load_unet(folder)


def test_a_variant_that_is_not_there_names_what_is(folder: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"of the variant 'fp16' .* holds weights without a variant; ask for no"):
        load_unet(folder, variant="fp16")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_stored_type_is_read_from_the_header(dtype: torch.dtype, tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "m", width=16, dtype=dtype)
    assert f"torch.{stored_dtype(folder / 'unet')}" == str(dtype)
    assert f"torch.{stored_dtype(folder / 'text_encoder')}" == str(dtype)
    assert load_unet(folder).dtype == torch.float32


@pytest.mark.parametrize(
    ("num_bytes", "law"),
    [
        (0, "its 0 bytes do not begin with a header"),
        (5, "its 5 bytes do not begin with a header"),
        (2000, "its 2,000 bytes do not begin with a header"),
        (-1, r"its header promises [\d,]+ bytes of weights, and [\d,]+ are there"),
        (-100_000, r"its header promises [\d,]+ bytes of weights, and [\d,]+ are there"),
    ],
)
def test_a_file_cut_short_is_refused(num_bytes: int, law: str, folder: Path) -> None:
    path = folder / "unet" / WEIGHTS
    os.truncate(path, num_bytes % path.stat().st_size if num_bytes < 0 else num_bytes)
    with pytest.raises(ModelFolderError, match=rf"{WEIGHTS} must be a whole safetensors file, but {law}; download or"):
        load_unet(folder)


@pytest.mark.parametrize(
    ("header", "law"),
    [
        (b"{not json}", "its header must be"),
        (b"\xff\xfe\xfd\xfc", "its header must be"),
        (b'{"a": {"dtype": "F32", "shape": [2]}}', "a in its header has not exactly a type, a shape and two offsets"),
        (b"[]", "its header is a list and no object"),
        (b'{"a": {"dtype": 1.0, "shape": [2], "data_offsets": [0, 4]}}', "a in its header has not exactly"),
        (b'{"a": {"dtype": "F32", "shape": [0.5, 2], "data_offsets": [0, 4]}}', "a in its header has not exactly"),
        (b'{"a": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}', "a in its header has not exactly"),
        (b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, "4"]}}', "a in its header has not exactly"),
        (
            b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
            r"the bytes of a do not fit its shape \[2\]",
        ),
    ],
)
def test_a_damaged_header_is_refused(header: bytes, law: str, tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(ModelFolderError, match=law):
        read_header(path)


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(ModelFolderError, match="is a pointer of Git LFS; fetch the file itself with `git lfs pull`"):
        read_header(path)


def test_tensors_that_are_absent_stray_or_of_another_shape_are_named_at_once(folder: Path) -> None:
    path = folder / "unet" / WEIGHTS
    weights = load_file(path)
    del weights["conv_in.weight"], weights["conv_in.bias"]
    weights["conv_out.bias"] = torch.zeros(7)
    weights["stray"] = torch.zeros(1)
    save_file(weights, path)
    law = (
        r"must be those of its config\.json, but 2 tensors are absent \(conv_in\.weight, conv_in\.bias\); "
        r"1 tensor is not the model's \(stray\); "
        r"1 tensor has another shape \(conv_out\.bias is \[7\] and must be \[4\]\)"
    )
    with pytest.raises(ModelFolderError, match=law):
        load_unet(folder)


def test_absent_shards_and_tensors_of_shards_are_named(tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "m", width=16, sharded=True) / "unet"
    index = folder / f"{WEIGHTS}.index.json"
    promised = json.loads(index.read_text())
    promised["weight_map"]["one.more"] = weight_files(folder)[0].name
    index.write_text(json.dumps(promised))
    with pytest.raises(
        ModelFolderError, match=r"must hold all that it names, but 1 tensors are absent, such as one\.m"
    ):
        load_unet(folder)
    weight_files(folder)[1].unlink()
    with pytest.raises(ModelFolderError, match=r"every shard .* must be there, but \S+-00002-of-\S+ is not; download"):
        load_unet(folder)
    index.write_text("{}")
    with pytest.raises(ModelFolderError, match="must have a `weight_map` of files by tensor, but that is"):
        load_unet(folder)
    index.write_text(json.dumps({"weight_map": {"a": "../secret.bin"}}))
    with pytest.raises(ModelFolderError, match=r"must name safetensors files beside it, but names '\.\./secret\.bin'"):
        load_unet(folder)
    index.unlink()
    with pytest.raises(
        ModelFolderError, match=rf"weights in shards need an index, but .* has no {WEIGHTS}\.index\.json"
    ):
        load_unet(folder)


def test_pickles_are_named_and_left_alone(folder: Path) -> None:
    path = folder / "unet" / WEIGHTS
    path.rename(path.with_suffix(".bin"))
    with pytest.raises(
        ModelFolderError, match=r"has none, only pickles \(diffusion_pytorch_model\.bin\), which are nev"
    ):
        load_unet(folder)


def test_an_autoencoder_with_its_former_names_loads(folder: Path) -> None:
    """As SD-1.5's is published."""
    before = load_model(AutoencoderKL, folder / "vae", dtype=None, variant=None)
    path = folder / "vae" / WEIGHTS
    former = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    weights = {}
    for name, weight in load_file(path).items():
        for today, then in former.items():
            name = name.replace(today, then)
        weights[name] = weight.clone()
    assert any("query" in name for name in weights)
    save_file(weights, path)
    after = load_model(AutoencoderKL, folder / "vae", dtype=None, variant=None)
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))


PEAK = """
import resource, sys, torch
from pathlib import Path
from search_spaces.folders.loading import load_unet

def peak_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

warm, folder = (Path(argument) for argument in sys.argv[1:])
def forward(unet):
    with torch.inference_mode():
        unet(torch.zeros(1, 4, 8, 8), 1, encoder_hidden_states=torch.zeros(1, 2, 32))
forward(load_unet(warm))
before = peak_mib()
unet = load_unet(folder)
forward(unet)  # touches every weight
print((peak_mib() - before) / (sum(p.nbytes for p in unet.parameters()) / 2**20))
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads Linux's account of memory")
def test_loading_holds_one_copy_of_the_weights(folder: Path, tmp_path: Path) -> None:
    large = write_pipeline(tmp_path / "large", width=80)  # 200 MB
    done = python(PEAK, folder, large)
    assert done.returncode == 0, done.stderr
    assert 0.8 < float(done.stdout) < 1.3, "seen: 0.98"


@pytest.mark.parametrize(
    ("rename", "law"),
    [
        (lambda name: f"_orig_mod.{name}", r"all names begin with `_orig_mod\.`: .* save `model\._orig_mod`"),
        (lambda name: f"module.{name}", r"all names begin with `module\.`: .* save `model\.module`"),
        (lambda name: f"base_model.model.{name}", r"all names begin with .* save `model\.merge_and_unload\(\)`"),
        (
            lambda name: name.replace("to_q.", "to_q.base_layer."),
            r"\d+ belong to LoRA or another adapter, .*: fuse",
        ),
    ],
)
def test_names_of_a_wrapped_model_say_how_to_save_it(rename: Any, law: str, folder: Path) -> None:
    path = unet_of(folder) / WEIGHTS
    save_file({rename(name): weight for name, weight in load_file(path).items()}, path)
    with pytest.raises(ModelFolderError, match=law):
        load_unet(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_weights_that_are_not_finite_are_named(part: str, folder: Path) -> None:
    (path,) = (folder / part).glob("*.safetensors")
    weights = load_file(path)
    name = sorted(weights)[0]
    weights[name].view(-1)[0] = float("nan")
    save_file(weights, path)
    with pytest.raises(ModelFolderError, match=rf"{part} must be finite numbers, but 1 tensor .* holds NaN .* float32"):
        PipelineParts.load(ModelFolder(folder)) if part != "unet" else load_unet(folder)


@pytest.mark.parametrize(
    ("entry", "law"),
    [
        ({"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}, "leave a gap at byte 0"),
        ({"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}, "has not exactly a type, a shape and two offsets"),
        ({"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}, "has not exactly a type, a shape"),
        ({"dtype": "F4", "shape": [8], "data_offsets": [0, 4]}, "is stored as 'F4', which is none of F64"),
        ({"dtype": "F32", "shape": [1]}, "has not exactly a type, a shape and two offsets"),
        (7, "has not exactly a type, a shape and two offsets"),
    ],
)
def test_a_header_obeys_the_format_to_the_letter(entry: Any, law: str, tmp_path: Path) -> None:
    header = json.dumps({"weight": entry}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(12))
    with pytest.raises(ModelFolderError, match=rf"model\.safetensors must be a whole safetensors file, but .*{law}"):
        read_header(path)


@pytest.mark.parametrize("nested", ['{"a":', "["])
def test_a_header_that_is_nested_without_end_is_refused(nested: str, tmp_path: Path) -> None:
    header = (nested * 100_000).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ModelFolderError, match=r"must be a whole safetensors file, but its header must be JSON"):
        read_header(path)
