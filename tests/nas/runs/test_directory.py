"""The run directory: whose it is, one writer at a time, and files that stand whole or not at all."""

# fast: its processes import nothing
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from nas.runs.directory import RunDirectory, RunDirectoryError, RunWarning
from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStoreError, ScoreStoreWarning, digest_of_prompts
from search_spaces import Architecture, Position, Stage
from search_spaces.files.durable.parts import LeftoverWarning

CONFIG: dict[str, Any] = {"model": "somewhere", "search": {"target_ratio": 0.5}, "seed": 0}
ARCHITECTURE = Architecture(
    stages=(Stage(place="mid", positions=(Position(resnets=1, cross_attentions=0, source=0),)),)
)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "runs" / "first")


def test_a_new_run_says_what_it_runs_and_on_what(run: RunDirectory) -> None:
    with run.opened(CONFIG):
        assert yaml.safe_load(run.read_config()) == CONFIG
        environment = json.loads((run.path / "environment.json").read_text())
    assert environment["libraries"]["torch"] == torch.__version__.split("+")[0]
    assert set(environment) == {"python", "libraries", "commit", "machine", "cuda_devices"}


def test_the_same_config_continues(run: RunDirectory) -> None:
    with run.opened(CONFIG):
        (run.path / "trace.jsonl").write_text("{}\n")
    with run.opened(CONFIG):
        assert (run.path / "trace.jsonl").read_text() == "{}\n"


@pytest.mark.parametrize(
    "edit", ["# a remark\n{}", "{}\n\n# more\n", "seed: 0\nsearch: {{target_ratio: 0.50}}\nmodel: somewhere\n"]
)
def test_a_remark_or_another_order_is_no_other_config(run: RunDirectory, edit: str) -> None:
    with run.opened(CONFIG):
        pass
    path = run.path / "config.yaml"
    path.write_text(edit.format(path.read_text()))
    before = path.read_bytes()
    with run.opened(CONFIG) as earlier:
        assert earlier == []
    assert path.read_bytes() == before
    assert not (run.path / "earlier").exists()


def test_an_extension_killed_between_its_two_files_is_none(run: RunDirectory) -> None:
    with run.opened(CONFIG):
        pass
    longer = CONFIG | {"search": {"target_ratio": 0.4}}
    (run.path / "earlier").mkdir()
    (run.path / "earlier" / "config-000.yaml").write_bytes((run.path / "config.yaml").read_bytes())
    with run.opened(CONFIG) as earlier:
        assert earlier == []
    with run.opened(longer, may_follow=lambda old: None) as earlier:
        assert earlier == [CONFIG]


@pytest.mark.parametrize("content", ["", "[1]", "a: [", "a: " + "[" * 3000, "a: 1\na: 2\n"])
def test_a_config_that_cannot_be_read_is_named(run: RunDirectory, content: str) -> None:
    with run.opened(CONFIG):
        pass
    (run.path / "config.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"config\.yaml"), run.opened(CONFIG):
        pass


def test_another_config_is_shown_as_a_diff_and_refused(run: RunDirectory) -> None:
    with run.opened(CONFIG):
        pass
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    changed = CONFIG | {"search": {"target_ratio": 0.7}}
    with pytest.raises(RunDirectoryError, match="holds the run of another config") as refusal, run.opened(changed):
        pass
    assert "-  target_ratio: 0.5\n+  target_ratio: 0.7\n" in str(refusal.value)
    assert "give another --out, or the config of that run" in str(refusal.value)
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_a_folder_of_something_else_is_refused_and_left_alone(run: RunDirectory) -> None:
    run.path.mkdir(parents=True)
    (run.path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunDirectoryError, match="is not empty and not a run directory"), run.opened(CONFIG):
        pass
    assert [path.name for path in run.path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("left", [[], ["trace.jsonl"], [".lock", "trace.jsonl", f"config.yaml.host-{2**30}.part"]])
def test_a_run_killed_at_its_birth_begins_again(run: RunDirectory, left: list[str]) -> None:
    run.path.mkdir(parents=True)
    for name in left:
        (run.path / name).write_text("")
    with run.opened(CONFIG):
        assert yaml.safe_load(run.read_config()) == CONFIG
    with run.opened(CONFIG):
        assert (run.path / "environment.json").is_file()


def test_one_writer_at_a_time(run: RunDirectory) -> None:
    second = RunDirectory(run.path)
    with run.opened(CONFIG):
        with pytest.raises(RunDirectoryError, match="another process is running a search in"), second.opened(CONFIG):
            pass
        assert second.read_config(), "reading goes on meanwhile"
    with second.opened(CONFIG):
        pass


def test_what_killed_processes_left_is_swept_away_loudly(run: RunDirectory) -> None:
    with run.opened(CONFIG):
        pass
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = os.uname().nodename.partition(".")[0]
    left = run.path / "checkpoints" / f"round-003.{host}-{dead.pid}.part"
    left.mkdir(parents=True)
    (left / "weights.safetensors").write_bytes(b"half")
    with pytest.warns(LeftoverWarning, match=rf"removed .*: checkpoints/{left.name}"), run.opened(CONFIG):
        assert not left.exists()


def test_reading_what_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"is not a run directory: it has no config\.yaml"):
        RunDirectory(tmp_path).read_config()


def test_nothing_is_written_of_a_config_that_is_not_kept(run: RunDirectory) -> None:
    """An edit of a run's config that is taken back leaves the run as it was."""
    with run.opened(CONFIG):
        pass
    path = run.path / "config.yaml"
    before = {path: path.read_bytes() for path in run.path.iterdir()}
    edited = CONFIG | {"search": {"target_ratio": 0.9}}
    path.write_text(yaml.safe_dump(edited))
    with run.opened(CONFIG, may_follow=lambda old: None) as earlier:
        assert earlier == [edited]
    assert yaml.safe_load(path.read_text()) == edited
    path.write_bytes(before[path])
    with run.opened(CONFIG) as earlier:
        assert earlier == []
    assert {path: path.read_bytes() for path in run.path.iterdir()} == before


def test_the_configs_that_a_run_goes_on_with_are_kept(run: RunDirectory) -> None:
    configs = [CONFIG | {"search": {"target_ratio": ratio}} for ratio in (0.5, 0.4, 0.3)]
    for number, config in enumerate(configs):
        with run.opened(config, may_follow=lambda old: None) as earlier:
            assert earlier == configs[:number]
            run.keep_config(config)
            run.keep_config(config)
    assert yaml.safe_load(run.read_config()) == configs[-1]
    kept = sorted((run.path / "earlier").iterdir())
    assert [path.name for path in kept] == ["config-000.yaml", "config-001.yaml"]
    assert [yaml.safe_load(path.read_text()) for path in kept] == configs[:2]


def test_a_lock_file_that_is_deleted_lets_nobody_in(run: RunDirectory) -> None:
    with run.opened(CONFIG):
        for path in run.path.iterdir():
            if path.name not in ("config.yaml", "trace.jsonl"):
                path.unlink()
        with (
            pytest.raises(RunDirectoryError, match="another process is running a search in"),
            RunDirectory(run.path).opened(CONFIG),
        ):
            pass


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
def test_a_run_that_goes_away_is_written_to_no_more(run: RunDirectory, how: str) -> None:
    elsewhere = run.path.with_name("elsewhere")
    with run.opened(CONFIG):
        store = run.scores
        match how:
            case "moved":
                run.path.rename(elsewhere)
            case "deleted":
                shutil.rmtree(run.path)
            case "replaced":
                run.path.rename(elsewhere)
                shutil.copytree(elsewhere, run.path)
        before = sorted(run.path.parent.rglob("*"))
        prompts = (Prompt(caption="a red ring", noise_seed=1),)
        key = ScoreKey(weights_digest="w", arch_id="a", protocol_digest="p", prompts_digest=digest_of_prompts(prompts))
        writes: list[Callable[[], object]] = [
            lambda: run.weights.write(0, architecture=ARCHITECTURE, weights={"a": torch.ones(2)}),
            lambda: store.put(key, prompts=prompts, scores=[0.5]),
            lambda: run.keep_config(CONFIG),
        ]
        for write in writes:
            with pytest.raises(RunDirectoryError, match=r"first must stay where it is .* moved, deleted or replaced"):
                write()
        assert sorted(run.path.parent.rglob("*")) == before
    if how == "moved":
        with RunDirectory(elsewhere).opened(CONFIG):
            pass


def test_a_damaged_environment_is_named_and_made_again(run: RunDirectory) -> None:
    with run.opened(CONFIG):
        pass
    path = run.path / "environment.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    with pytest.warns(RunWarning, match=r"environment\.json must be JSON, .*: made again"), run.opened(CONFIG):
        pass
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", ["gone", "torn"])
def test_the_mark_of_a_run_s_own_scores_is_made_again(run: RunDirectory, damage: str) -> None:
    prompts = (Prompt(caption="a red ring", noise_seed=1),)
    key = ScoreKey(weights_digest="w", arch_id="a", protocol_digest="p", prompts_digest=digest_of_prompts(prompts))
    with run.opened(CONFIG):
        run.scores.put(key, prompts=prompts, scores=[0.5])
        mark = run.path / "scores" / "store.json"
        whole = mark.read_bytes()
        mark.unlink() if damage == "gone" else mark.write_bytes(whole[:5])
        with pytest.warns(ScoreStoreWarning, match=r"store\.json was missing or damaged: made again"):
            assert run.scores.get(key) == (0.5,)
        assert mark.read_bytes() == whole
        mark.write_text('{"schema_version": 3}\n')
        with pytest.raises(ScoreStoreError, match="with the version of snapfusion-nas that wrote it"):
            _ = run.scores
