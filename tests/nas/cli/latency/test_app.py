"""`nas latency` from end to end, with a real measurement of a tiny UNet."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from typer.testing import CliRunner

from latency import read_table, write_table
from nas.cli.latency.app import app
from search_spaces import space_from_config
from search_spaces.folders.loading import ModelFolderError, load_unet, read_context_tokens, read_unet_config
from tests.latency.strategies import small_space, table_of

TINY = {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "attention_head_dim": 2,
    "cross_attention_dim": 16,
    "norm_num_groups": 4,
}


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    UNet2DConditionModel(**TINY).save_pretrained(folder / "unet")
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "tokenizer_config.json").write_text('{"model_max_length": 16}')
    return folder


@pytest.fixture(scope="module")
def measured(pipeline):
    out = pipeline.parent / "tiny.json"
    # Three rounds say little about a tiny UNet, where the machine's noise is as large as the blocks.
    result = run(
        "measure", pipeline, "--out", out, "--min-rounds", 3, "--max-rounds", 3, "--subnetworks", 2, "--max-copies", 1,
        "--device-name", "test machine", "--allow-mismatch",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return out, result


@pytest.mark.filterwarnings("ignore::latency.LatencyTableWarning")
def test_measure_writes_a_table_that_covers_the_space(pipeline, measured):
    out, result = measured
    table = read_table(out)
    space = space_from_config(read_unet_config(pipeline), max_copies=1)
    assert table.missing(space.reachable_signatures(context_tokens=16)) == ()
    assert (table.device.name, table.workload.base_model, table.workload.context_tokens) == ("test machine", "tiny", 16)
    assert f"wrote {out}" in result.stdout
    assert "blocks sum to" in result.stdout
    assert "2 random sub-networks" in result.stdout


@pytest.mark.filterwarnings("ignore::latency.LatencyTableWarning")
def test_show_prints_draws_and_exports(pipeline, measured):
    out, _ = measured
    table = read_table(out)
    shown = run("show", out)
    assert shown.exit_code == 0
    assert "test machine" in shown.stdout
    assert "end to end" in shown.stdout
    assert all(str(row.signature) in shown.stdout for row in table.rows)
    assert run("show", out, "--format", "json").stdout == out.read_text()
    assert len(run("show", out, "--format", "csv").stdout.splitlines()) == 1 + len(table.rows)
    picture = out.with_suffix(".png")
    assert run("show", out, "--plot", picture, "--model", pipeline).exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.filterwarnings("ignore::latency.LatencyTableWarning")
def test_show_says_what_a_model_and_a_picture_cost(pipeline, measured, tmp_path):
    out, _ = measured
    table, picture = read_table(out), tmp_path / "blocks.png"
    space = space_from_config(read_unet_config(pipeline))
    shown = run(
        "show", out, "--model", pipeline, "--steps", 8, "--guidance", "twice", "--text-encoder-ms", 4,
        "--decoder-ms", 116, "--plot", picture, "--plot-by", "blocks",
    )  # fmt: skip
    assert shown.exit_code == 0, shown.output
    total_ms = table.predict(space.sites(space.base, **table.workload.sizes)).total_ms
    assert f"UNet {total_ms:.3f} ms a step" in shown.stdout
    assert f"picture {(8 + 16 * total_ms + 116) / 1000:.3f} s" in shown.stdout
    assert "16 x UNet" in shown.stdout
    assert picture.read_bytes()[1:4] == b"PNG"


@pytest.mark.filterwarnings("ignore::latency.LatencyTableWarning")
def test_calibrating_measures_other_subnetworks_and_changes_no_row(pipeline, measured, tmp_path):
    table = read_table(measured[0])
    copy, picture = tmp_path / "table.json", tmp_path / "calibration.png"
    shutil.copy(measured[0], copy)
    arguments = ("--model", pipeline, "--subnetworks", 3, "--rounds", 2, "--max-copies", 1, "--plot", picture)
    done = run("calibrate", copy, *arguments)
    assert done.exit_code == 0, done.output
    after = read_table(copy)
    assert (after.rows, after.digest) == (table.rows, table.digest)
    assert after.check.num_subnetworks == 3
    worst, mean = after.check.worst_error, after.check.subnetwork_mape
    assert worst is not None
    assert mean is not None
    assert worst >= mean > 0
    assert "worst:" in done.stdout
    assert picture.read_bytes()[1:4] == b"PNG"
    again = run("calibrate", copy, *arguments)
    assert "nothing was measured: " in again.stdout
    assert again.stdout.endswith(done.stdout)
    assert read_table(copy) == after
    assert len((tmp_path / "table.calibration.jsonl").read_text().splitlines()) == 4


@pytest.mark.filterwarnings("ignore::latency.LatencyTableWarning")
def test_calibrating_needs_one_source_of_measurements(pipeline, measured):
    out, _ = measured
    for arguments, words in (
        ((), "give `--model` to measure here, or `--measured`"),
        (("--measured", out), "`--measured` and `--manifest` go together"),
        (("--model", pipeline, "--backend", "onnxruntime"), "`runtime.name` must be"),
    ):
        refused = run("calibrate", out, *arguments)
        assert refused.exit_code == 2, refused.output
        assert words in refused.stderr


def test_user_errors_end_with_code_2_and_a_message_on_stderr(pipeline, tmp_path):
    (tmp_path / "bad.json").write_text('{"schema_version": 9}')
    good = tmp_path / "good.json"
    table = table_of(small_space())
    write_table(replace(table, workload=replace(table.workload, temb_channels=99)), good)
    (tmp_path / "empty").mkdir()
    cases = {
        ("show", tmp_path / "none.json"): "there is no latency table",
        ("show", tmp_path / "bad.json"): "`schema_version` 1, but got 9",
        ("show", good, "--plot", tmp_path / "x.png"): "name it with `--model`",
        (
            "show",
            good,
            "--plot",
            tmp_path / "x.png",
            "--model",
            pipeline,
        ): "`temb_channels` must be 32, but the table has 99",
        ("measure", tmp_path / "none", "--out", tmp_path / "t.json"): "there is no model folder",
        ("measure", tmp_path / "empty", "--out", tmp_path / "t.json"): "must hold `unet/config.json`",
        ("measure", pipeline, "--out", tmp_path / "no" / "t.json"): "there is no folder",
        ("measure", pipeline, "--out", tmp_path / "t.json", "--max-rounds", 3): "`max_rounds` must be at least",
    }
    for arguments, message in cases.items():
        result = run(*arguments)
        assert result.exit_code == 2, arguments
        assert message in result.stderr
        assert "Traceback" not in result.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.json", "empty", "good.json"]


def test_context_tokens_come_from_the_tokenizer(pipeline, tmp_path):
    assert read_context_tokens(pipeline) == 16
    assert read_context_tokens(tmp_path) is None
    (tmp_path / "tokenizer").mkdir()
    for content in ('{"model_max_length": 1000000000000000019884624838656}', "[]", "{"):
        (tmp_path / "tokenizer" / "tokenizer_config.json").write_text(content)
        with pytest.raises(ValueError, match=r"model_max_length|must be"):
            read_context_tokens(tmp_path)


def test_the_command_line_starts_without_torch():
    code = (
        "import sys, nas.cli.latency.app, latency; assert not {'torch', 'diffusers', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unets_load_from_pipeline_and_unet_folders(pipeline):
    config = read_unet_config(pipeline)
    assert config == read_unet_config(pipeline / "unet")
    assert tuple(config["block_out_channels"]) == (8, 16)
    first, second = load_unet(pipeline), load_unet(pipeline / "unet", dtype=torch.bfloat16)
    assert not first.training
    assert (first.dtype, second.dtype) == (torch.float32, torch.bfloat16)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "must be JSON"),
        ("[]", "must be a JSON object"),
        ('{"_class_name": "AutoencoderKL"}', "but got 'AutoencoderKL'"),
        ('{"_class_name": "UNet2DConditionModel"}', "weights must be safetensors"),
    ],
)
def test_folders_without_a_unet_that_loads_are_refused(content, message, tmp_path):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelFolderError, match=message):
        load_unet(tmp_path)


def test_a_shipped_table_is_shown_and_checked_by_its_name() -> None:
    assert "shapes on " in run("show", "shapes_cpu_torch_eager").stdout
    assert run("validate", "shapes_cpu_torch_eager").stdout.startswith("shapes_cpu_torch_eager: good")
    refused = run("show", "shapes_cpu")
    assert refused.exit_code == 2
    assert "shapes_cpu_torch_eager" in refused.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--batch", 65537), ("--height", 4097), ("--width", 4097), ("--context-tokens", 65537)]
)
@pytest.mark.parametrize("command", ["measure", "init"])
def test_sizes_beyond_reason_are_refused_before_any_work(command, option, value, tmp_path):
    result = run(command, "sd-1.5", "--out", tmp_path / "a", option, value)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.output
    assert str(value - 1) in result.output
    assert list(tmp_path.iterdir()) == []
