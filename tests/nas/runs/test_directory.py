"""The run directory: whose it is, one writer at a time, and files that stand whole or not at all."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from nas.runs.directory import RunDirectory, RunDirectoryError
from search_spaces import Architecture, Position, Stage
from search_spaces.files.durable import LeftoverWarning

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


@pytest.mark.parametrize("left", [[], [".lock"], [".lock", f"config.yaml.host-{2**30}.part"]])
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


def test_a_round_has_no_weights_before_its_checkpoint_is_written(run: RunDirectory) -> None:
    assert run.read_weights(7) is None
    run.write_checkpoint(7, architecture=ARCHITECTURE, weights={"a": torch.ones(2)})
    assert (run.path / "checkpoints" / "round-007" / "weights.safetensors").is_file()
    weights = run.read_weights(7)
    assert weights is not None
    assert torch.equal(weights["a"], torch.ones(2))


def test_reading_what_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"is not a run directory: it has no config\.yaml"):
        RunDirectory(tmp_path).read_config()
