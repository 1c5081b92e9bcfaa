"""What the README shows from Python runs as it stands there, and `python -m nas` is the command."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nas
from tests.nas.synthetic import write_experiment

ROOT = Path(__file__).parents[2]
(CODE,) = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


def test_five_lines_run_a_search_and_show_its_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len([line for line in CODE.splitlines() if line]) <= 5
    experiment = write_experiment(tmp_path / "small")
    ours = {"experiments/demo.yaml": str(experiment), "runs/from_python": str(tmp_path / "run")}
    code = CODE
    for theirs, path in ours.items():
        assert code.count(f'"{theirs}"') == 1
        code = code.replace(f'"{theirs}"', repr(path))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, names)
    run = names["run"]
    assert isinstance(run, nas.Run)
    assert run.is_finished
    assert run.rounds()["predicted_latency_ms"].is_monotonic_decreasing
    assert {"predicted_latency_ms", "clip", "num_params", *run.spec["actions"]} <= set(out.getvalue().split())
    scored = run.evaluations().merge(run.scores(), on=["arch_id", "weights_digest"])
    assert scored.groupby(["round", "action"]).size().tolist() == run.evaluations()["num_prompts"].tolist()
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    again = nas.run_search(nas.load_config(experiment), out=run.path)
    assert again.architecture == run.architecture
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(" done: ")[0] for line in said] == 2 * [
        f"round {number}" for number in run.rounds()["round"]
    ]
    told: list[nas.RoundDone] = []
    nas.run_search(experiment, out=run.path, on_round=told.append)
    assert [round_done.round for round_done in told] == run.rounds()["round"].tolist()
    assert not capsys.readouterr().err


def test_overrides_go_with_a_path_only(tmp_path: Path) -> None:
    config = nas.load_config(write_experiment(tmp_path / "small"))
    with pytest.raises(
        ValueError, match=r"overrides change what a file says, but a config was given with \['seed=1'\]"
    ):
        nas.run_search(config, out=tmp_path / "run", overrides=["seed=1"])
    assert not (tmp_path / "run").exists()


def test_the_package_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "nas", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "python -m nas [OPTIONS] COMMAND" in done.stdout
