"""The command line: help that teaches, JSON that stays, bad input that ends with exit code 2 and changes nothing."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from latency import read_table, write_table
from nas.cli.app import app
from search_spaces import Action
from search_spaces.shapes import PIPELINE_DIR
from tests.contents import content
from tests.nas.cli.invoking import invoke, refused
from tests.nas.searching import read_json
from tests.nas.synthetic import shapes_space

BUNDLED = shapes_space()


def commands(group: Any, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *names, name)


@pytest.mark.parametrize("command", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "120", "TERM": "dumb"})
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    described = result.stdout.split("Usage:")[1].splitlines()[1:]
    assert any(len(line.split()) > 4 for line in described), "a sentence about what the command does"


def test_help_and_status_are_quick_because_torch_is_not_imported(run: Path) -> None:
    code = (
        "import sys\nfrom nas.cli.app import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules\nassert 'diffusers' not in sys.modules\n"
    )
    for arguments in (["--help"], ["status", str(run)], ["space", "show", "sd-1.5", "--format", "json"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[3],
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_a_specs_name_never_leads_out_of_its_folder(run: Path, tmp_path: Path) -> None:
    spec = read_json(run / "architecture.json")
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    for name in ("../../TRAVERSED", str(tmp_path / "ABSOLUTE"), "[/x]\x1b[2J"):
        (copy / "architecture.json").write_text(json.dumps(spec | {"name": name}))
        result = invoke("export", copy, "--form", "spec", "--into", tmp_path / "into")
        assert result.exit_code == 2
        assert "name: must be the name of a folder, but got" in result.output
        assert "\x1b" not in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_names_from_data_are_shown_as_they_are(folder: Path) -> None:
    table = read_table(folder / "table.json")
    write_table(replace(table, device=replace(table.device, name="[/x][bold]\x1b[2J")), folder / "table.json")
    shown = invoke("latency", "show", folder / "table.json")
    assert shown.exit_code == 0, shown.output
    assert "[/x][bold]\\x1b[2J" in shown.stdout
    odd = Path(shutil.copytree(folder, folder / "[red]out"))
    assert "[red]out" in invoke("search", odd / "experiment.yaml", "--out", odd / "run", "--dry-run").stdout


def test_generate_draws_a_grid(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    result = invoke("generate", model, "a red circle", "--out", out, "--num-steps", 1, "--guidance-scale", 1)
    assert result.exit_code == 0, result.output
    with Image.open(out) as image:
        assert image.format == "PNG"


def test_a_spec_of_another_model_is_refused(tmp_path: Path) -> None:
    spec = tmp_path / "architecture.json"
    sd15 = json.loads(invoke("space", "show", "sd-1.5", "--format", "json").stdout)
    data = BUNDLED.base.to_dict()
    data["stages"][4]["positions"].append({"source": 2, "resnets": 1, "cross_attentions": 1})
    assert sd15["stages"][4]["place"] == data["stages"][4]["place"] == "mid"
    spec.write_text(json.dumps(data))
    assert "the base model has no position mid[2]" in refused("space", "show", PIPELINE_DIR, "--spec", spec)
    spec.write_text("{")
    assert "is not a spec" in refused("space", "show", PIPELINE_DIR, "--spec", spec)
    assert "there is no architecture" in refused("space", "show", PIPELINE_DIR, "--spec", tmp_path / "nowhere.json")


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    assert "is not a run directory" in refused("status", tmp_path)
    assert "is no run directory; give one, or, for a spec, a folder or a known name" in refused("export", tmp_path)
    assert "there is no architecture" in refused("export", tmp_path / "nothing", "--model", PIPELINE_DIR)


def test_an_export_onto_something_else_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "is not an export of this architecture" in refused("export", run, "--out", tmp_path)
    assert list(content(tmp_path)) == ["thesis.tex"]


@pytest.mark.parametrize("model", ["nowhere", "sd-9.9"])
def test_a_model_that_is_not_there_is_named(model: str, tmp_path: Path) -> None:
    assert model in refused("space", "show", model)
    assert model in refused("generate", model, "a ring", "--out", tmp_path / "grid.png")
    assert not content(tmp_path)


def test_actions_are_written_as_they_are_read(run: Path) -> None:
    for action in read_json(run / "architecture.json")["actions"]:
        assert str(Action.parse(action)) == action
