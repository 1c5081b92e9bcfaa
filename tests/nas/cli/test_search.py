"""`nas search`: what it says, its exit codes, and inputs that it refuses before anything is written."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from latency import read_table, write_table
from nas.cli.search import cost_sentence
from nas.search.costs.pace import CostEstimate, Pace
from nas.search.costs.work import Work
from tests.contents import content
from tests.nas.cli.invoking import invoke, refused
from tests.nas.searching import events_of, read_json
from tests.nas.synthetic import small_config, small_space, synthetic_table

SPACE = small_space()


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
    assert len(rounds) == len(events_of(run, "decision"))
    assert f"next: nas report {run} tells it as a page, nas export {run} writes the model" in result.stdout


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


def test_a_dry_run_says_what_a_search_costs_and_writes_nothing(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("search", experiment, "--dry-run")
    assert result.exit_code == 0, result.output
    for words in ("pictures made and scored", "training steps", "at most", "nothing was written"):
        assert words in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_search_says_how_to_go_on(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nas.cli.search.search", interrupted)
    result = invoke("search", experiment, "--out", tmp_path / "run")
    assert result.exit_code not in (0, 2)
    assert "interrupted; the same command continues the search" in result.stdout


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


def test_a_searched_model_is_no_base(experiment: Path, model: Path, tmp_path: Path) -> None:
    searched = shutil.copytree(model, tmp_path / "model")
    path = searched / "unet" / "config.json"
    config = read_json(path) | {"_class_name": "SearchedUNet", "architecture": SPACE.base.to_dict()}
    path.write_text(json.dumps(config))
    message = refused("search", experiment, f"model={searched}", "--out", tmp_path / "run")
    assert "holds a searched UNet; give its base" in message
    assert not (tmp_path / "run").exists()


def test_an_estimate_without_spread_is_one_number() -> None:
    work = Work(num_rounds=2, num_pictures=1800, num_training_steps=0)
    pace = Pace(seconds_per_picture=0.1, seconds_per_training_step=0.0, num_gpus=0)
    cost = CostEstimate(least=work, most=work, pace=pace)
    assert cost_sentence(cost) == "estimated: 2 rounds, 1,800 pictures, 3 min"
    longer = replace(cost, most=replace(work, num_rounds=4, num_pictures=3600))
    assert cost_sentence(longer) == "estimated: 2 to 4 rounds, 1,800 to 3,600 pictures, 3 min to 6 min"
