"""docs/table_for_your_device.md as written: its commands, one after the other, in one folder, with their defaults."""

import csv
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from diffusers import UNet2DConditionModel
from typer.testing import CliRunner

from latency import read_latency_table, read_table, shipped_tables
from latency.kits.manifest import WholeModelFile
from latency.kits.manifest_file import read_manifest
from nas.cli.app import app
from search_spaces import BlockKind
from search_spaces.known.architectures import sd15_space
from tests.latency.conftest import ONE_STAGE

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "table_for_your_device.md").read_text(encoding="utf-8").partition("## As it was run")[0]
COMMANDS: Final = "".join(re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)).splitlines()
# One stage without attention: its files are written in seconds.
PLAIN: Final = ONE_STAGE | {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
SCRIPT: Final = "python kit/onnx/run_onnxruntime.py"


def run(command: str, /, *more: str) -> str:
    """What a command of the page prints; `nas` in this process, Python in one of its own."""
    words = [*shlex.split(command), *more]
    if words[0] == "nas":
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code == 0, f"{command}\n{done.output}"
        return done.output
    assert words[0] == "python"
    told = subprocess.run([sys.executable, "-I", *words[1:]], capture_output=True, text=True, timeout=600, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_the_page_is_these_commands() -> None:
    assert [command.split(" --")[0] for command in COMMANDS] == [
        "nas latency init shapes", SCRIPT, "nas latency import kit/onnx", "nas latency validate board.json",
        "nas latency calibrate board.json", "nas init experiment.yaml",
        "nas search experiment.yaml latency_table=board.json",
    ]  # fmt: skip


def test_the_page_works_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a UNet of one stage, so that its files are written in seconds: a folder wins over the bundled model's name.

    The kit's script stands in for the phone; then a law stands in for its times, which on so small a model are the
    runtime's and not the blocks'.
    """
    for package in ("onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    UNet2DConditionModel(**PLAIN).save_pretrained(tmp_path / "shapes" / "unet")
    init, script, import_, validate, calibrate, first, search = COMMANDS
    assert "and 4 whole models" in run(init)
    run(script)
    results = tmp_path / "kit" / "onnx" / "results.csv"
    with results.open(newline="") as file:
        lines = list(csv.DictReader(file))
    manifest = read_manifest(results.parent)
    assert [line["file"] for line in lines if float(line["median_ms"]) > 0] == [
        entry.file for entry in manifest.entries
    ]
    cost = {block.file: 0.01 + 1e-6 * block.signature.num_macs for block in manifest.blocks} | {
        manifest.empty.file: 0.01
    }
    for model in manifest.whole_models:
        assert isinstance(model, WholeModelFile)
        macs = sum(site.signature.num_macs for site in manifest.sites(model.architecture))
        cost[model.file] = 0.01 + 1.02e-6 * macs
    results.write_text("\n".join(["file,median_ms", *(f"{file},{ms}" for file, ms in cost.items())]))
    assert "blocks sum to 0." in run(import_)
    assert "board.json: good" in run(validate)
    assert "Kendall tau 1.00" in run(calibrate)
    table = read_table("board.json")
    assert table.check is not None
    assert table.check.bias == pytest.approx(1, abs=0.05)
    run(first)
    told = CliRunner().invoke(app, shlex.split(search)[1:])
    assert told.exit_code == 2, (
        "the template is about the bundled model, whose name a folder without a pipeline has here"
    )
    assert str(tmp_path / "shapes") in told.stderr


@pytest.mark.slow
def test_the_page_works_as_written_on_the_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for command in COMMANDS[:-1]:
        run(command)
    small = ("validation.num_prompts=2", "validation.chunk_size=2", "search.max_rounds=2", "search.target_ratio=0.9")
    assert " ms on my board; target " in run(COMMANDS[-1], *small, "--out", "run")
    assert (tmp_path / "run" / "architecture.json").is_file()


def test_the_numbers_of_the_page_on_tables() -> None:
    """docs/latency_tables.md: blocks, signatures, and what a concatenated skip costs."""
    text = " ".join((ROOT / "docs" / "latency_tables.md").read_text(encoding="utf-8").split())
    space = sd15_space()
    sites = space.sites(space.base)
    num, different = len(sites), len({site.signature for site in sites})
    assert f"The {num} blocks of Stable Diffusion 1.5 have {different} signatures" in text
    ratios = []
    for name in (name for name in shipped_tables() if re.match(r"sd15_cpu", name)):
        table = read_latency_table(name)
        plain = {
            (s.out_channels, s.height): r.median_ms
            for r in table.rows
            if (s := r.signature).kind is BlockKind.RESNET and s.in_channels == s.out_channels
        }
        ratios += [
            r.median_ms / plain[s.out_channels, s.height]
            for r in table.rows
            if (s := r.signature).kind is BlockKind.RESNET
            and s.in_channels > s.out_channels
            and (s.out_channels, s.height) in plain
        ]
    assert f"cost {min(ratios):.1f} to {max(ratios):.1f} times the plain block" in text
