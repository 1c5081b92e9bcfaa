"""A kit is complete, explains itself, and its script runs where this project is not."""

import csv
import os
import subprocess
import sys

import pytest
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

from latency import Device
from latency.blocks.tasks import Task, workload_of
from latency.exporters.cache import weight_files
from latency.exporters.formats import Converter, ModelFormat
from latency.importers import read_files
from latency.kits.importing import import_table
from latency.kits.kit import PAGE_NAME, file_names, write_kit
from latency.kits.manifest import ManifestError
from latency.kits.manifest_file import check_files, read_manifest
from latency.kits.page import SCRIPT, SCRIPT_NAME
from search_spaces import BlockKind, BlockSignature
from tests.latency.strategies import TOKENS, small_space


class TextExporter:
    """Writes a line of text, and weights beside it."""

    suffix, converter = ".txt", Converter(name="text", version="1")

    def __init__(self, format=ModelFormat.LITERT):
        self.format, self.num_written = format, 0

    def write(self, module, inputs, path):
        path.write_text(" ".join(inputs))
        path.with_name(f"{path.name}.data").write_text("weights")
        self.num_written += 1


@pytest.fixture(scope="session")
def onnx_kit(one_stage, one_stage_workload, exports, tmp_path_factory):
    pytest.importorskip("onnxscript")
    from latency.exporters.to_onnx import OnnxExporter

    folder = tmp_path_factory.mktemp("kits") / "onnx"
    write_kit(one_stage, folder, workload=one_stage_workload, exporter=OnnxExporter(), cache=exports, num_subnetworks=1)
    return folder


def test_a_kit_holds_a_file_for_every_key_and_whole_model_a_manifest_a_csv_and_a_page(
    one_stage, one_stage_workload, onnx_kit
):
    manifest = read_manifest(onnx_kit)
    check_files(manifest, onnx_kit)
    assert {block.signature for block in manifest.blocks} == set(
        one_stage.space.reachable_signatures(context_tokens=TOKENS)
    )
    assert [model.file for model in manifest.whole_models] == ["whole/base.onnx", "whole/subnetwork_1.onnx"]
    assert manifest.workload == one_stage_workload
    assert manifest.converter.name == "torch.onnx.export"
    files = {str(path.relative_to(onnx_kit)) for path in onnx_kit.rglob("*") if path.is_file()}
    listed = {entry.file for entry in manifest.entries}
    assert files == listed | {"README.md", "manifest.json", "results.csv", SCRIPT_NAME}
    assert "blocks/resnet_16to8_9x9.onnx" in listed
    assert manifest.empty.file == "blocks/empty_call.onnx"
    assert "blocks/cross_attention_8_9x9_deep2.onnx" in listed
    page = (onnx_kit / "README.md").read_text()
    for words in (
        "8 files",
        "up to 1 copies",
        "blocks/empty_call.onnx` does next to nothing",
        "batch 1 on 9x9 latents",
        "AttnProcessor2_0",
        "benchmark_app",
        "trtexec",
        "import .",
    ):
        assert words in page


def test_the_script_runs_in_a_clean_process_and_its_csv_becomes_a_table(one_stage, onnx_kit, tmp_path):
    pytest.importorskip("onnxruntime")
    kit = tmp_path / "device"
    kit.mkdir()
    for path in (path for path in onnx_kit.rglob("*") if path.is_file()):
        (kit / path.relative_to(onnx_kit)).parent.mkdir(exist_ok=True)
        os.link(path, kit / path.relative_to(onnx_kit))
    (kit / "results.csv").unlink()  # a link to the kit's own, which stays empty
    (kit / "results.csv").write_text((onnx_kit / "results.csv").read_text())
    (kit / SCRIPT_NAME).unlink()
    (kit / SCRIPT_NAME).write_text(
        SCRIPT.replace("ROUNDS, WARM_UPS = ", "ROUNDS, WARM_UPS = 'CPUExecutionProvider', 1, 3, 1 #")
        + "\nimport sys; assert not {'torch', 'latency'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-I", SCRIPT_NAME], cwd=kit, check=True, timeout=120)
    with (kit / "results.csv").open(newline="") as table:
        lines = list(csv.DictReader(table))
    manifest = read_manifest(kit)
    assert [line["file"] for line in lines] == [entry.file for entry in manifest.entries]
    assert all(0 < float(line["p10_ms"]) <= float(line["median_ms"]) <= float(line["p90_ms"]) for line in lines)
    table = import_table(
        manifest,
        read_files([kit / "results.csv"]),
        device=Device(name="test machine"),
        runtime_name="onnxruntime",
        runtime_version="1",
    ).table
    assert table.missing(one_stage.space.reachable_signatures(context_tokens=TOKENS)) == ()
    assert table.check.num_subnetworks == 1


def test_files_that_do_not_fit_into_memory_together_are_loaded_one_after_the_other(onnx_kit):
    assert "KEEP_GB = 4 " in SCRIPT
    pytest.importorskip("onnxruntime")
    script = SCRIPT.replace("KEEP_GB = 4 ", "KEEP_GB = 0 ").replace(", 20, 2\n", ", 2, 1\n")
    assert script.count("KEEP_GB = 0") == 1
    probe = (
        script.partition('with open(here / "results.csv", "w"')[0]
        + "assert not loaded and set(map(len, times.values())) == {2}"
    )
    (onnx_kit.parent / "probe.py").write_text(
        probe.replace("pathlib.Path(__file__).parent", f"pathlib.Path({str(onnx_kit)!r})")
    )
    subprocess.run([sys.executable, "-I", onnx_kit.parent / "probe.py"], check=True, timeout=120)


def test_a_kit_written_again_exports_nothing_and_keeps_the_results(one_stage, one_stage_workload, exports, onnx_kit):
    from latency.exporters.to_onnx import OnnxExporter

    class Refusing(OnnxExporter):
        def write(self, module, inputs, path):
            raise AssertionError("nothing is to be exported again")

    (onnx_kit / "results.csv").write_text("filled in")
    try:
        write_kit(
            one_stage, onnx_kit, workload=one_stage_workload, exporter=Refusing(), cache=exports, num_subnetworks=1
        )
        assert (onnx_kit / "results.csv").read_text() == "filled in"
    finally:
        (onnx_kit / "results.csv").unlink()
        write_kit(
            one_stage, onnx_kit, workload=one_stage_workload, exporter=Refusing(), cache=exports, num_subnetworks=1
        )


def test_a_folder_with_another_kit_is_refused_and_left_alone(one_stage, one_stage_workload, tmp_path, exports):
    settings = {"exporter": TextExporter(), "cache": exports}
    write_kit(one_stage, tmp_path / "kit", workload=one_stage_workload, **settings)
    before = {path: path.read_bytes() for path in (tmp_path / "kit").rglob("*") if path.is_file()}
    wide = workload_of(one_stage, base_model="one stage", batch=2, height=0, width=0, context_tokens=TOKENS)
    for changed in ({"workload": wide}, {"workload": one_stage_workload, "num_subnetworks": 2}):
        with pytest.raises(ManifestError, match="give another `--out`"):
            write_kit(one_stage, tmp_path / "kit", **settings, **changed)
    assert before == {path: path.read_bytes() for path in (tmp_path / "kit").rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [PAGE_NAME, SCRIPT_NAME])
def test_somebody_s_own_page_is_not_replaced(one_stage, one_stage_workload, tmp_path, exports, name):
    (tmp_path / name).write_text("somebody's")
    with pytest.raises(ManifestError, match=rf"must be free or hold a kit, but {name} in it is not a kit's"):
        write_kit(one_stage, tmp_path, workload=one_stage_workload, exporter=TextExporter(), cache=exports)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: "somebody's"}


def test_weights_beside_a_file_come_along_under_their_own_name(one_stage, one_stage_workload, tmp_path, exports):
    exporter = TextExporter()
    manifest = write_kit(one_stage, tmp_path, workload=one_stage_workload, exporter=exporter, cache=exports)
    kept = [file for file in exports.folder.glob("*.txt") if weight_files(file)]
    names = {file.name for block in ("blocks", "whole") for file in (tmp_path / block).glob("*.data")}
    assert names == {weights.name for file in kept for weights in weight_files(file)}
    assert len(names) == len(manifest.entries)


@pytest.mark.parametrize("format", ModelFormat)
def test_every_format_has_a_page_that_names_its_tools_and_the_import(
    format, one_stage, one_stage_workload, tmp_path, exports
):
    write_kit(one_stage, tmp_path, workload=one_stage_workload, exporter=TextExporter(format), cache=exports)
    page = (tmp_path / "README.md").read_text()
    tool = {"onnx": "trtexec", "executorch": "Inspector", "coreml": "MLModelBenchmarker", "litert": "benchmark_model"}
    assert tool[format] in page
    assert page.count("nas latency import . --out TABLE.json") >= 2
    assert "{import}" not in page
    assert (tmp_path / SCRIPT_NAME).exists() == (format is ModelFormat.ONNX)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_exported(
    one_stage, one_stage_workload, tmp_path, exports, monkeypatch
):
    exporter = TextExporter()
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    with pytest.raises(ValueError, match=r"need 0\.0 GiB.*write fewer sub-networks"):
        write_kit(one_stage, tmp_path, workload=one_stage_workload, exporter=exporter, cache=exports)
    assert exporter.num_written == 0


def test_file_names_are_readable_and_differ_even_where_the_name_does_not_say_why():
    space = small_space()
    tasks: tuple[Task, ...] = (*space.reachable_signatures(context_tokens=TOKENS), space.base)
    names = file_names(tasks, suffix=".onnx")
    assert len(set(names.values())) == len(tasks)
    assert names[space.base] == "whole/base.onnx"
    twins = [
        BlockSignature(
            kind=BlockKind.CROSS_ATTENTION, in_channels=8, out_channels=8, height=9, width=9, layers=1, heads=heads,
            head_dim=8 // heads, cross_attention_dim=16, context_tokens=16, variant="linear",
        )
        for heads in (1, 2)
    ]  # fmt: skip
    assert list(file_names(twins, suffix=".pte").values()) == [
        "blocks/cross_attention_8_9x9_linear.pte",
        "blocks/cross_attention_8_9x9_linear_no2.pte",
    ]


def test_the_attention_implementation_is_recorded_and_exported_apart(one_stage, one_stage_workload, tmp_path, exports):
    exporter = TextExporter()
    write_kit(one_stage, tmp_path / "sdpa", workload=one_stage_workload, exporter=exporter, cache=exports)
    num_attentions = sum(s.kind is BlockKind.CROSS_ATTENTION for s in one_stage.space.reachable_signatures())
    before = exporter.num_written
    one_stage.unet.set_attn_processor(AttnProcessor())
    try:
        workload = workload_of(one_stage, base_model="one stage", batch=1, height=0, width=0, context_tokens=TOKENS)
        manifest = write_kit(one_stage, tmp_path / "eager", workload=workload, exporter=exporter, cache=exports)
    finally:
        one_stage.unet.set_attn_processor(AttnProcessor2_0())
    assert manifest.workload.attention_impl == "AttnProcessor"
    assert exporter.num_written - before == num_attentions + 1, "cross-attentions and the whole model"
