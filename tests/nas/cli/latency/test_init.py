"""`nas latency init`, and the options of `measure` that choose a backend and a model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from typer.testing import CliRunner

from latency.backends.registry import BackendName, make_backend
from latency.blocks.models import Attention, latency_model
from latency.exporters.formats import Converter, ModelFormat
from latency.kits.manifest_file import read_manifest
from latency.pricing.scenario import Dtype
from nas.cli.latency.app import app
from search_spaces.known.architectures import BASE_CONFIGS
from tests.latency.conftest import ONE_STAGE


class TextExporter:
    format, suffix, converter = ModelFormat.LITERT, ".tflite", Converter(name="text", version="1")

    def write(self, module, inputs, path):
        path.write_text(" ".join(inputs))


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "small"
    torch.manual_seed(0)
    UNet2DConditionModel(**ONE_STAGE).save_pretrained(folder / "unet")
    return folder


def test_init_writes_a_kit_per_format(model, tmp_path, monkeypatch):
    monkeypatch.setattr("latency.exporters.to_litert.LitertExporter", TextExporter)
    result = run(
        "init", model, "--out", tmp_path / "phone", "--formats", "litert", "--cache", tmp_path / "cache",
        "--subnetworks", 2, "--max-copies", 0, "--attention", "eager", "--dtype", "float16", "--batch", 2,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    manifest = read_manifest(tmp_path / "phone" / "litert")
    w = manifest.workload
    assert (w.base_model, w.batch, w.dtype, w.attention_impl) == ("small", 2, "float16", "AttnProcessor")
    assert (w.latent_height, w.latent_width, w.context_tokens) == (9, 9, 77)
    assert len(manifest.whole_models) == 3
    assert manifest.space.max_copies == 0
    assert f"{len(manifest.blocks)} blocks and 3 whole models" in result.stdout
    assert (tmp_path / "phone" / "litert" / "README.md").is_file()


def test_errors_name_what_may_be_chosen_and_write_nothing(model, tmp_path):
    out = tmp_path / "out"
    cases = {
        ("init", model, "--out", out, "--formats", "onnx,savedmodel"): "`--formats` must be some of onnx, executorch",
        ("init", tmp_path / "none", "--out", out): "or a known name: sd-1.5, sd-2.1, sdxl",
        (
            "measure",
            model,
            "--out",
            out,
            "--provider",
            "GPU",
        ): "setting of onnxruntime and openvino, not of torch-eager",
        (
            "measure",
            model,
            "--out",
            out,
            "--backend",
            "cuda",
            "--threads",
            2,
        ): "`--threads` is a setting of backends on",
    }
    for arguments, message in cases.items():
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
    assert run("measure", model, "--out", out, "--backend", "abacus").exit_code == 2
    assert not out.exists()


def test_a_refused_measurement_is_written_from_what_was_kept(model, tmp_path, monkeypatch):
    command = (
        "measure", model, "--out", tmp_path / "t.json", "--max-copies", 0, "--subnetworks", 0, "--min-rounds", 2,
        "--max-rounds", 2,
    )  # fmt: skip
    monkeypatch.setattr("latency.documents.store.TRUSTED_SUM", (1.999, 2.0))
    refused = run(*command)
    assert refused.exit_code == 2, refused.output
    assert "Nothing is lost" in refused.stderr
    assert "`--allow-mismatch`" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.samples.jsonl"]
    written = run(*command, "--allow-mismatch")
    assert written.exit_code == 0, written.output
    assert "nothing was measured" in written.stdout
    assert (tmp_path / "t.json").is_file()


def test_backends_are_made_by_name(tmp_path):
    settings = {"threads": 1, "provider": None, "cache": tmp_path}
    assert make_backend(BackendName.TORCH_EAGER, **settings).runtime.name == "torch-eager"
    assert make_backend(BackendName.TORCH_COMPILE, **settings).runtime.name == "torch-compile"
    for name, package in (("onnxruntime", "onnxruntime"), ("openvino", "openvino"), ("executorch", "executorch")):
        pytest.importorskip(package)
        assert make_backend(BackendName(name), **settings).runtime.name == name


def test_known_models_need_no_folder_but_a_folder_of_that_name_wins(model, tmp_path, monkeypatch):
    known = latency_model(Path("sd-1.5"))
    assert (known.name, known.folder, known.config) == ("sd-1.5", None, BASE_CONFIGS["sd-1.5"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sd-1.5").symlink_to(model)
    assert latency_model(Path("sd-1.5")).folder == Path("sd-1.5")


def test_a_known_models_weights_are_random_but_the_same_and_leave_the_generator_alone(monkeypatch):
    monkeypatch.setitem(BASE_CONFIGS, "sd-1.5", ONE_STAGE)
    settings: dict[str, Any] = {"max_copies": 1, "attention": Attention.EAGER, "dtype": Dtype.FLOAT16, "device": "cpu"}
    state = torch.random.get_rng_state()
    first, second = (latency_model(Path("sd-1.5")).supernet(**settings) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.unet.conv_in.weight, second.unet.conv_in.weight)
    assert first.unet.dtype is torch.float16
    assert {type(p).__name__ for p in first.unet.attn_processors.values()} == {"AttnProcessor"}
    assert not first.unet.training
