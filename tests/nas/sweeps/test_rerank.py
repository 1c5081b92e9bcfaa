"""Ranking the finalists of a real small search again: a run of its own, killed or not, with its curves."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from scipy.stats import kendalltau
from typer.testing import CliRunner

from nas.cli.app import app
from nas.config.loading import stored_config
from nas.config.resolving import resolve
from nas.reports.figures import draw
from nas.reports.recovery import recovery_curves
from nas.runs.directory import RunWarning
from nas.runs.run import Run, open_run
from nas.sweeps.finalists import finalists_of
from nas.sweeps.rerank import StartingWeights, rerank, reranking_config
from search_spaces.files.user_error import UserError
from tests.nas.mirror import mirrored


@pytest.fixture(scope="module")
def ranked(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return rerank(run, out=tmp_path_factory.mktemp("ranked") / "again", num_finalists=3, lengths=(0.0, 0.5, 1.0))


def test_finalists_are_the_best_that_keep_the_limits_and_what_was_found_is_one(run: Path) -> None:
    opened = open_run(run)
    problem = resolve(stored_config(run / "config.yaml"), run=run).problem
    finalists = finalists_of(opened, problem=problem, num=100)
    assert finalists[0].architecture == opened.architecture
    assert all(problem.meets(each.architecture) for each in finalists)
    assert len({each.architecture for each in finalists}) == len(finalists) >= 2
    assert [each.score for each in finalists[1:]] == sorted((each.score for each in finalists[1:]), reverse=True)
    scored = {(e["round"], e["action"] or "round"): e for e in opened.events if e["event"] == "evaluation"}
    for each in finalists:
        lost = 0.0 if each.how == "round" else scored[each.round, each.how]["d_clip"]["mean"]
        assert each.score == scored[each.round, "round"]["clip"]["mean"] - lost
    assert any(each.how != "round" for each in finalists)


@pytest.mark.parametrize(
    ("scorings", "kept"),
    [
        ([(3, 0, 0.5), (2, 1, 0.9)], 0),  # prompts, round, mean: more prompts tell more, whatever they say
        ([(3, 0, 0.9), (3, 1, 0.5)], 1),  # and of as many the later weights
        ([(3, 1, 0.5), (3, 0, 0.9)], 0),
    ],
)
def test_of_several_scorings_of_an_architecture_the_one_that_tells_most_counts(
    scorings: list[tuple[int, int, float]], kept: int, run: Path
) -> None:
    problem = resolve(stored_config(run / "config.yaml"), run=run).problem
    first, second, *_ = (each.architecture for each in finalists_of(open_run(run), problem=problem, num=2))
    events = [
        {
            "event": "evaluation",
            "round": number,
            "action": None,
            "stages": architecture.to_dict()["stages"],
            "clip": {"mean": mean, "num_prompts": num_prompts},
        }
        for architecture, told in ((first, scorings), (second, [(3, 0, 0.1)]))
        for num_prompts, number, mean in told
    ]
    search: Any = SimpleNamespace(events=events, higher_is_better=True, is_finished=False, path=run)
    each, other = finalists_of(search, problem=problem, num=100)
    assert (each.architecture, other.architecture) == (first, second)
    assert (each.num_prompts, each.round, each.score) == scorings[kept]


def test_by_a_score_of_which_less_is_better_the_same_are_finalists(run: Path, tmp_path: Path) -> None:
    problem = resolve(stored_config(run / "config.yaml"), run=run).problem
    given, mirror = open_run(run), open_run(mirrored(run, tmp_path / "mirrored"))
    finalists = finalists_of(given, problem=problem, num=100)
    assert finalists_of(mirror, problem=problem, num=100) == tuple(
        replace(each, score=-each.score) for each in finalists
    )


@pytest.mark.parametrize("weights", StartingWeights)
def test_a_reranking_keeps_what_the_search_kept_and_takes_what_it_is_given(
    weights: StartingWeights, run: Path, tmp_path: Path
) -> None:
    shutil.copytree(run, tmp_path / "run")
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    config["search"]["limits"]["max_params"] = 10**9
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    parent = open_run(tmp_path / "run")
    config, _ = reranking_config(parent, weights=weights, keep=0.5, steps=7)
    old, new = stored_config(parent.path / "config.yaml"), config
    assert new.search.settings["lengths"] == [0.0, 0.25, 0.5, 1.0]
    assert new.search.settings["keep"] == 0.5
    assert new.search.start == (str(parent.path) if weights == "found" else old.search.start)
    assert new.search.target_latency_ms == parent.target_latency_ms
    kept = ("space", "limits", "protected", "max_copies_per_block", "copy_start")
    assert [getattr(new.search, name) for name in kept] == [getattr(old.search, name) for name in kept]
    assert old.search.protected
    assert new.robust_training == replace(old.robust_training, recovery_iterations=7)


def test_a_reranking_is_a_run_that_names_its_parent_and_has_every_finalist_at_every_length(
    run: Path, ranked: Run
) -> None:
    parent = open_run(run)
    settings = ranked.config["search"]["settings"]
    assert settings["parent"] == parent.start["digests"]["config"]
    assert ranked.is_finished
    curves = recovery_curves(ranked)
    num = len(settings["finalists"])
    assert 2 <= num <= 3
    assert list(curves.frame["length"]) == [0.0] * num + [0.5] * num + [1.0] * num
    assert list(curves.frame["steps"]) == [0] * num + [1] * num + [2] * num
    for _, part in curves.frame.groupby("length"):
        best_first = part.sort_values("rank")["mean"].tolist()
        assert best_first == sorted(best_first, reverse=True)
    last = curves.frame[curves.frame["length"] == 1.0]
    best = last.loc[last["rank"] == 1, "arch_id"].item()
    assert ranked.spec["arch_id"] == best, "the final choice is made after recovery"
    assert ranked.spec["target_met"]
    change = curves.changes[-1]
    ranks = [curves.frame[curves.frame["length"] == length]["rank"].to_numpy() for length in (0.0, 1.0)]
    assert (change.before, change.after, change.num) == (0.0, 1.0, num)
    assert change.tau == pytest.approx(kendalltau(*ranks).statistic)
    assert draw("recovery", [ranked]).axes[0].get_legend() is not None


def test_the_same_call_continues_it(run: Path, ranked: Run) -> None:
    before = (ranked.path / "trace.jsonl").read_bytes()
    (ranked.path / "architecture.json").unlink()
    lines = before.splitlines(keepends=True)
    (ranked.path / "trace.jsonl").write_bytes(b"".join(lines[:6]))
    again = rerank(run, out=ranked.path, num_finalists=3, lengths=(0.0, 0.5, 1.0))
    fields = [
        [{key: value for key, value in json.loads(line).items() if key != "runtime"} for line in text.splitlines()]
        for text in (before, (ranked.path / "trace.jsonl").read_bytes())
    ]
    assert fields[0] == fields[1]
    assert again.spec["arch_id"] == json.loads(lines[-1])["arch_id"]


def test_the_command_says_the_curves_and_readers_of_runs_read_it(run: Path, ranked: Run, tmp_path: Path) -> None:
    command = ["rerank", str(run), "--out", str(ranked.path), "--top", "3", "--lengths", "0,0.5,1", "--format", "json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["curves"] == recovery_curves(ranked).to_dict()["curves"]
    for arguments in (["status", str(ranked.path)], ["report", str(ranked.path), "--out", str(tmp_path / "page.html")]):
        assert CliRunner().invoke(app, arguments).exit_code == 0
    assert "as their weights recover" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_a_damaged_trace_does_not_say_is_not_ranked_in_silence(run: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(run, tmp_path / "run")
    with (damaged / "trace.jsonl").open("ab") as trace:
        trace.write(b"[1]\n")
    with pytest.warns(RunWarning, match=r"run: line \d+ of trace\.jsonl is no event: .* is not ranked"):
        reranking_config(open_run(damaged))


def test_what_cannot_be_ranked(run: Path) -> None:
    with pytest.raises(UserError, match="ranks no finalists again"):
        recovery_curves(open_run(run))
    with pytest.raises(UserError, match="`lengths` must be two or more"):
        reranking_config(open_run(run), lengths=(1.0, 0.5))
    with pytest.raises(UserError, match=r"^the re-ranking has 1 problem:\n  lengths\.1: .* but got nan$"):
        reranking_config(open_run(run), lengths=(0.0, math.nan))
