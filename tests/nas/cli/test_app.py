"""The command line: help that teaches, JSON that stays, bad input that ends with exit code 2 and changes nothing."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from PIL import Image
from typer.testing import CliRunner

from latency import read_table, write_table
from nas.cli.app import app
from nas.runs.spec import read_spec
from search_spaces import Action
from search_spaces.known.architectures import SD15_CONFIG
from search_spaces.shapes import PIPELINE_DIR
from tests.nas.searching import read_json
from tests.nas.synthetic import shapes_space, small_config, small_space, synthetic_table

BUNDLED, SPACE = shapes_space(), small_space()


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: object) -> str:
    """The message of a command that must end as a user's error."""
    result = invoke(*arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    assert "Traceback" not in result.output
    assert result.stderr.startswith("error: ")
    return str(result.stderr)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(experiment: Path, tmp_path: Path) -> Path:
    """A copy of the small experiment to break."""
    for name in ("experiment.yaml", "table.json", "captions.txt"):
        shutil.copy(experiment.parent / name, tmp_path)
    for name in ("model", "pictures"):
        shutil.copytree(experiment.parent / name, tmp_path / name)
    return tmp_path


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


def test_space_show_gives_the_documented_keys() -> None:
    result = invoke("space", "show", "sd-1.5", "--format", "json")
    assert result.exit_code == 0
    space = json.loads(result.stdout)
    assert space["num_cross_attentions"] == 16
    assert space["num_resnets"] == 22
    assert space["num_removals"] == 38
    assert space["num_params"] == 859_520_964
    assert round(space["num_macs"] / 1e9, 1) == 401.6
    assert [stage["place"] for stage in space["stages"]][:2] == ["down.0", "down.1"]
    assert sum(len(stage["positions"]) for stage in space["stages"]) == 22


def test_space_show_reads_folders_and_specs(run: Path, model: Path) -> None:
    base = json.loads(invoke("space", "show", model, "--format", "json").stdout)
    spec = run / "architecture.json"
    found = json.loads(invoke("space", "show", model, "--spec", spec, "--format", "json").stdout)
    assert base["num_params"] == SPACE.num_params(SPACE.base)
    assert found["arch_id"] == read_json(spec)["arch_id"]
    assert found["num_params"] == read_json(spec)["num_params"] < base["num_params"]
    table = invoke("space", "show", model)
    assert table.exit_code == 0
    assert "15 removals" in " ".join(table.stdout.split())
    assert "(8x8 latents, 24 text tokens)" in table.stdout


def test_macs_are_those_of_the_pipelines_own_text_tokens_in_every_command(
    run: Path, experiment: Path, model: Path
) -> None:
    tokens = 24  # the bundled tokenizer's
    macs = {a: SPACE.num_macs(a, context_tokens=tokens) for a in (SPACE.base, read_spec(run / "architecture.json")[0])}
    base, found = macs.values()
    spec = read_json(run / "architecture.json")
    assert (spec["num_macs"], spec["context_tokens"]) == (found, tokens)
    for folder in (model, model / "unet"):
        shown = json.loads(invoke("space", "show", folder, "--format", "json").stdout)
        assert (shown["num_macs"], shown["context_tokens"]) == (base, tokens)
    for more in ((), ("--latency-table", experiment.parent / "table.json")):
        told = json.loads(invoke("space", "diff", model, run, *more, "--format", "json").stdout)
        assert (told["before"]["num_macs"], told["after"]["num_macs"]) == (base, found)
        assert told["context_tokens"] == tokens
    assert "MACs at 8x8 latents, 24 text tokens" in invoke("space", "diff", model, run).stdout
    assert "MACs at 77 text tokens" in invoke("space", "known").stdout


def test_status_tells_how_far_a_run_is(run: Path, tmp_path: Path) -> None:
    status = json.loads(invoke("status", run, "--format", "json").stdout)
    spec = read_json(run / "architecture.json")
    assert (status["state"], status["stop"], status["target_met"]) == ("finished", "converged", True)
    assert (status["target_latency_ms"], status["base_latency_ms"]) == (
        spec["target_latency_ms"],
        spec["base_latency_ms"],
    )
    assert [entry["round"] for entry in status["rounds"]] == list(range(len(status["rounds"])))
    assert status["rounds"][spec["round"]]["arch_id"] == spec["arch_id"]
    assert "finished, converged" in invoke("status", run).stdout

    half = tmp_path / "half"
    half.mkdir()
    shutil.copy(run / "config.yaml", half)
    lines = (run / "trace.jsonl").read_text().splitlines(keepends=True)
    (half / "trace.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    status = json.loads(invoke("status", half, "--format", "json").stdout)
    assert (status["state"], status["stop"], status["num_events"]) == ("interrupted", None, 3)
    assert "interrupted" in invoke("status", half).stdout


def test_a_search_says_where_it_stands_and_what_it_found(experiment: Path, run: Path) -> None:
    before = content(run)
    result = invoke("search", experiment, "--out", run)
    assert result.exit_code == 0, result.output
    assert content(run) == before, "a finished search has nothing to add"
    assert "15 removals" in result.stdout
    assert "counts per stage, before -> after" in result.stdout
    assert "target met, search converged" in result.stdout
    assert "CLIP (selection scores, 3 prompts, 95% intervals): base " in result.stdout
    assert "lost per prompt, paired: " in result.stdout
    rounds = [line for line in result.stdout.splitlines() if re.match(r"round \d+ done: ", line)]
    assert len(rounds) == len(read_trace_of(run, "decision"))
    assert f"next: nas report {run} tells it as a page, nas export {run} writes the model" in result.stdout


def read_trace_of(run: Path, event: str) -> list[dict[str, Any]]:
    return [each for each in map(json.loads, (run / "trace.jsonl").read_text().splitlines()) if each["event"] == event]


def test_a_search_that_misses_its_target_has_an_exit_code_of_its_own(experiment: Path, tmp_path: Path) -> None:
    result = invoke(
        "search",
        experiment,
        "search.max_rounds=1",
        "search.removals_per_round=1",
        "search.target_ratio=0.88",
        "--out",
        tmp_path / "run",
    )
    assert result.exit_code == 3, result.output
    assert "NOT MET" in result.stdout
    assert (tmp_path / "run" / "architecture.json").is_file()
    assert "TARGET NOT MET" in invoke("status", tmp_path / "run").stdout
    exported = invoke("export", tmp_path / "run", "--form", "spec")
    assert exported.exit_code == 0, exported.output
    assert "THE SEARCH MISSED ITS TARGET" in exported.stdout


def test_a_seed_that_is_said_twice_is_refused(experiment: Path, tmp_path: Path) -> None:
    assert "seed is given twice" in refused("search", experiment, "seed=4", "--seed", "3", "--out", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_status_marks_what_was_found_and_says_what_each_action_saved_and_cost(run: Path) -> None:
    spec, shown = read_json(run / "architecture.json"), invoke("status", run).stdout
    (marked,) = (line for line in shown.splitlines() if "<- found" in line)
    assert marked.split()[:2] == [str(spec["round"]), f"{spec['predicted_latency_ms']:.3f}"]
    assert json.loads(invoke("status", run, "--format", "json").stdout)["found_round"] == spec["round"]
    scored = {
        (each["round"], each["action"]): each for each in read_trace_of(run, "evaluation") if each["action"] is not None
    }
    for decision in read_trace_of(run, "decision"):
        for action in decision["actions"]:
            (line,) = (line for line in shown.splitlines() if line.split()[:2] == [str(decision["round"]), action])
            if (decision["round"], action) in scored:
                costs = scored[decision["round"], action]
                saved, lost = line.split()[2:4]
                assert saved == f"{costs['d_latency_ms']:.3f}"
                assert float(lost) == pytest.approx(costs["d_clip"]["mean"], abs=6e-5)
                assert (float(lost) == 0) == (costs["d_clip"]["mean"] == 0), "what is small is not nothing"


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


def test_a_dry_run_says_what_a_search_costs_and_writes_nothing(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("search", experiment, "--dry-run")
    assert result.exit_code == 0, result.output
    for words in ("pictures made and scored", "training steps", "at most", "nothing was written"):
        assert words in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_status_of_a_run_that_was_extended_is_that_of_its_last_target(run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    lines = (run / "trace.jsonl").read_text().splitlines()
    again = json.loads(lines[0]) | {"event": "search_extended", "target_latency_ms": 1.0}
    (tmp_path / "trace.jsonl").write_text("\n".join([*lines, json.dumps(again)]) + "\n")
    status = json.loads(invoke("status", tmp_path, "--format", "json").stdout)
    assert (status["state"], status["target_latency_ms"]) == ("interrupted", 1.0)


def test_an_interrupted_search_says_how_to_go_on(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nas.cli.search.search", interrupted)
    result = invoke("search", experiment, "--out", tmp_path / "run")
    assert result.exit_code not in (0, 2)
    assert "interrupted; the same command continues the search" in result.stdout


def test_generate_draws_a_grid(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    result = invoke("generate", model, "a red circle", "--out", out, "--num-steps", 1, "--guidance-scale", 1)
    assert result.exit_code == 0, result.output
    with Image.open(out) as image:
        assert image.format == "PNG"


# The issue of bad input: (what is broken, how, what the message must say).
BROKEN_CONFIGS = [
    ("unknown key", {"serach": {}}, "serach: there is no such setting; choose among model, score, clip"),
    ("wrong type", {"seed": "one"}, "seed: must be a valid integer, but got 'one'"),
    ("missing model", {"model": "nowhere"}, "there is no model folder"),
    ("missing table", {"latency_table": "nowhere.json"}, "there is no latency table"),
    ("missing judge", {"clip": {"model": "nowhere"}}, "`clip` must be a folder with open_clip_config"),
    ("missing captions", {"validation": {"captions": "nowhere.txt"}}, "there is no caption file"),
    ("too few captions", {"validation": {"captions": "captions.txt"}}, "`num_prompts` is 24, but"),
    (
        "unknown block",
        {"search": {"target_ratio": 0.9, "protected": ["resnet[up.9,0]"]}},
        "does not have: ['resnet[up.9,0]'",
    ),
    ("unreachable target", {"search": {"target_latency_ms": 0.01}}, "the fastest reachable"),
    (
        "missing pictures",
        {"robust_training": {"iterations": 1, "pictures": "nowhere"}},
        "metadata.jsonl; write one line",
    ),
]


@pytest.mark.parametrize(("change", "law"), [row[1:] for row in BROKEN_CONFIGS], ids=[row[0] for row in BROKEN_CONFIGS])
def test_a_search_that_cannot_be_is_refused_before_anything_is_written(
    folder: Path, change: dict[str, Any], law: str
) -> None:
    (folder / "experiment.yaml").write_text(yaml.safe_dump(small_config() | change))
    before = content(folder)
    assert law in refused("search", folder / "experiment.yaml", "--out", folder / "run")
    assert content(folder) == before
    assert not (folder / "run").exists()


def test_an_empty_caption_file_is_refused(folder: Path) -> None:
    (folder / "captions.txt").write_text("# nothing yet\n")
    message = refused("search", folder / "experiment.yaml", "--out", folder / "run")
    assert "captions.txt holds no caption; write one caption a line into it" in message
    assert not (folder / "run").exists()


def test_a_table_that_does_not_cover_the_space_is_refused(folder: Path) -> None:
    table = read_table(folder / "table.json")
    gone = next(row.signature for row in table.rows if row.signature.kind == "resnet")
    partial = replace(table, rows=tuple(row for row in table.rows if row.signature != gone))
    write_table(partial, folder / "table.json")
    message = refused("search", folder / "experiment.yaml", "--out", folder / "run")
    assert "1 have no row" in message
    assert str(gone) in message
    assert "nas latency measure" in message
    assert not (folder / "run").exists()


def test_a_table_of_another_workload_is_refused(folder: Path) -> None:
    write_table(synthetic_table(SPACE, context_tokens=77), folder / "table.json")
    message = refused("search", folder / "experiment.yaml", "--out", folder / "run")
    assert "`context_tokens` must be 24, but the table has 77" in message


def test_a_config_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "there is no config" in refused("search", tmp_path / "nowhere.yaml")


def test_the_run_directory_of_another_config_is_refused_with_the_difference(experiment: Path, run: Path) -> None:
    before = content(run)
    message = refused("search", experiment, "search.removals_per_round=3", "--out", run)
    assert "-  removals_per_round: 2\n+  removals_per_round: 3" in message
    assert "give another --out" in message
    assert content(run) == before


def test_a_folder_of_something_else_is_no_run_directory(experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "not a run directory" in refused("search", experiment, "--out", tmp_path)
    assert list(content(tmp_path)) == ["thesis.tex"]


def test_a_trace_broken_in_the_middle_is_refused_with_its_line(experiment: Path, run: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    lines = (broken / "trace.jsonl").read_text().splitlines(keepends=True)
    lines[2] = lines[2][:25] + "\n"
    (broken / "trace.jsonl").write_text("".join(lines))
    before = content(broken)
    assert "line 3 of" in refused("search", experiment, "--out", broken)
    shown = invoke("status", broken)
    assert shown.exit_code == 0, "it is shown as far as it goes"
    assert "note: line 3 of trace.jsonl" in shown.stdout
    assert content(broken) == before


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


def test_what_cannot_be_compared_says_why(run: Path, tmp_path: Path) -> None:
    assert "there is no architecture typo" in refused("space", "diff", "typo", "bk-sdm-tiny", "--base", "sd-1.5")
    assert "at most its 3 down stages" in refused("space", "diff", "sd-1.5", "koala-1b", "--base", "sdxl")
    assert "does not hold its base model" in refused("space", "diff", run / "architecture.json", "sd-1.5")
    (tmp_path / "config.yaml").write_text("{}")
    assert "must name its `model`" in refused("space", "show", tmp_path)
    (tmp_path / "config.yaml").unlink()
    broken = tmp_path / "unet"
    broken.mkdir()
    (broken / "config.json").write_text(json.dumps(SD15_CONFIG | {"_class_name": "SearchedUNet"}))
    assert "`architecture` in" in refused("space", "show", broken)
    (tmp_path / "spec.json").write_text(json.dumps(BUNDLED.base.to_dict() | {"base": "sd15"}))
    assert "`base` in" in refused("space", "show", PIPELINE_DIR, "--spec", tmp_path / "spec.json")
    shown = json.loads(invoke("space", "diff", str(run), str(run), "--format", "json").stdout)
    assert shown["positions"] == []


def test_space_diff_adds_up_and_known_models_are_listed(run: Path, model: Path) -> None:
    for arguments in (("sd-1.5", "bk-sdm-tiny"), ("bk-sdm-base", "bk-sdm-tiny"), (model, run)):
        told = json.loads(invoke("space", "diff", *map(str, arguments), "--format", "json").stdout)
        for key in ("num_params", "num_macs"):
            parts = sum(row[key] for row in told["positions"]) + told["other"][key]
            assert parts == told["together"][key] == told["after"][key] - told["before"][key]
    shown = invoke("space", "diff", str(model), str(run)).stdout
    assert all(action in shown for action in told["actions"])
    assert "together" in shown
    named = json.loads(invoke("space", "known", "--format", "json").stdout)
    assert {"sd-1.5", "ssd-1b", "koala-700m"} <= {model["name"] for model in named}
    assert "-resnet[down.3,0]&-position[down.3,0]" in invoke("space", "show", "sd-1.5", "--space", "stock").stdout


def test_milliseconds_of_a_space_are_those_of_its_table_and_refusals_of_one_law_are_one_line(
    experiment: Path, model: Path
) -> None:
    arguments = ("space", "show", model, "--latency-table", experiment.parent / "table.json")
    told = json.loads(invoke(*arguments, "--format", "json").stdout)
    table = read_table(experiment.parent / "table.json")
    predicted = table.predict(SPACE.sites(SPACE.base, **table.workload.sizes))
    assert told["ms"] == predicted.total_ms
    inside = sum(position["ms"] for stage in told["stages"] for position in stage["positions"])
    assert inside == pytest.approx(sum(block.ms for block in predicted.breakdown if block.position >= 0))
    shown = invoke(*arguments).stdout
    assert f"{told['ms']:.3f} ms" in shown
    refusals = [line for line in shown.splitlines() if "cannot be copied" in line]
    assert len(refusals) == 2
    reasons = [
        position[f"{kind}_copyable"]["why_not"].split()[0]
        for stage in told["stages"]
        for position in stage["positions"]
        for kind in ("resnet", "cross_attention")
        if not position[f"{kind}_copyable"]["possible"]
    ]
    assert all(any(name in line for line in refusals) for name in reasons)


def test_milliseconds_of_a_diff_add_up(run: Path, experiment: Path, model: Path) -> None:
    arguments = ("space", "diff", model, run, "--latency-table", experiment.parent / "table.json")
    told = json.loads(invoke(*map(str, arguments), "--format", "json").stdout)
    parts = sum(row["ms"] for row in told["positions"]) + told["other"]["ms"]
    assert parts == pytest.approx(told["together"]["ms"])
    assert told["after"]["ms"] == pytest.approx(
        json.loads((run / "architecture.json").read_text())["predicted_latency_ms"]
    )


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


def test_status_spells_actions_out(run: Path) -> None:
    taken = read_json(run / "architecture.json")["actions"]
    result = CliRunner().invoke(app, ["status", str(run)], env={"COLUMNS": "200"})
    assert taken
    assert all(action in result.stdout for action in taken)


def test_space_show_reads_the_architecture_of_an_export(tmp_path: Path) -> None:
    architecture = Action.parse("-cross_attention[up.3,0]").apply(BUNDLED.base)
    config = read_json(PIPELINE_DIR / "unet" / "config.json")
    config |= {"_class_name": "SearchedUNet", "architecture": architecture.to_dict()}
    (tmp_path / "config.json").write_text(json.dumps(config))
    shown = json.loads(invoke("space", "show", tmp_path, "--format", "json").stdout)
    assert shown["arch_id"] == architecture.arch_id


def test_a_searched_model_is_no_base(experiment: Path, model: Path, tmp_path: Path) -> None:
    searched = shutil.copytree(model, tmp_path / "model")
    path = searched / "unet" / "config.json"
    config = read_json(path) | {"_class_name": "SearchedUNet", "architecture": SPACE.base.to_dict()}
    path.write_text(json.dumps(config))
    message = refused("search", experiment, f"model={searched}", "--out", tmp_path / "run")
    assert "holds a searched UNet; give its base" in message
    assert not (tmp_path / "run").exists()
