"""A search that holds captions out and spends more on its finalists: resumed, grown, on another machine."""

from pathlib import Path

import pytest

import nas.search.driver
import nas.search.staff
from nas.config.loading import load_config
from nas.reports.page.reading import read_source
from nas.runs.run import open_run
from nas.runs.spec import read_spec
from nas.runs.trace import read_trace
from nas.scores.held_out import held_out_scores
from nas.scores.store import ScoreStore
from nas.search.progress import Progress
from tests.nas.searching import IdlePool, comparable_trace, same_result, search
from tests.nas.synthetic import write_experiment

MORE = ["search.max_copies=1", "search.overshoot=true", "validation.final_prompts=5", "validation.held_out=4"]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_experiment(tmp_path_factory.mktemp("held-out"))
    captions = [f"a picture of {number} rings" for number in range(12)]
    (path.parent / "captions.txt").write_text("\n".join(captions), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("held-out") / "run"
    search(experiment, out, overrides=MORE)
    return out


def test_the_result_has_held_out_scores_and_the_search_is_the_same_without(
    experiment: Path, run: Path, tmp_path: Path
) -> None:
    search(experiment, tmp_path / "plain", overrides=MORE[:-1])
    plain, events = comparable_trace(tmp_path / "plain"), comparable_trace(run)
    *before, truth, finished = events
    assert truth["event"] == "measurement"
    assert truth["prompts"] == "held_out"
    digests = [event.pop("digests") for event in (plain[0], before[0])]
    assert digests[1].keys() - digests[0].keys() == {"held_out"}
    assert [*before, finished] == plain
    scores = held_out_scores(read_trace(run / "trace.jsonl"))
    assert scores is not None
    assert scores.base is not None
    assert scores.found.num_prompts == scores.base.num_prompts == 4
    _, spec = read_spec(run / "architecture.json")
    assert spec["held_out"] == scores.plain()
    assert spec["score"]["found"]["num_prompts"] in (3, 5)


def test_scores_of_the_run_and_its_paired_loss_are_of_prompts_that_decided(run: Path) -> None:
    opened = open_run(run)
    assert opened.scores()["prompt_id"].nunique() == 5, "three in each round, two more of finalists, none held out"
    loss = read_source(opened).loss
    assert loss is not None
    assert loss.num_prompts <= 5


def test_it_is_resumed_without_a_question(experiment: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nas.search.staff, "make_pool", lambda *args, **kwargs: IdlePool())
    before = (run / "trace.jsonl").read_bytes()
    search(experiment, run, overrides=MORE)
    assert (run / "trace.jsonl").read_bytes() == before


def search_until(num_chunks: int, experiment: Path, out: Path, *overrides: str) -> None:
    """A search that is interrupted in round 1, when so many chunks of it are scored."""

    def on_progress(progress: Progress) -> None:
        if (progress.phase, progress.round) == ("scoring", 1) and 0 < num_chunks <= progress.done < progress.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(experiment, out, overrides=overrides, on_progress=on_progress)


def test_interrupted_it_ends_the_same(experiment: Path, run: Path, tmp_path: Path) -> None:
    search_until(4, experiment, tmp_path / "run", *MORE)
    search(experiment, tmp_path / "run", overrides=MORE)
    same_result(run, tmp_path / "run")


def test_another_machine_takes_whole_steps_and_makes_the_unfinished_one_anew(
    experiment: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Round 0 is whole, so it is taken; of round 1 the base stands there too, but its losses would be mixed."""
    search_until(4, experiment, tmp_path / "run", *MORE)
    before = ScoreStore(tmp_path / "run" / "scores").frame()
    assert before["weights_digest"].nunique() == 2
    for module in ("nas.workers.worker", "nas.search.driver"):
        monkeypatch.setattr(f"{module}.made_by", lambda device: "a board")
    search(experiment, tmp_path / "run", overrides=MORE)
    frame = ScoreStore(tmp_path / "run" / "scores").frame()
    trained = [event for event in comparable_trace(run) if event["event"] == "trained"]
    first, second = (frame[frame["weights_digest"] == event["weights_digest"]] for event in trained[:2])
    made_first, made_then = (set(rows[rows["prompt_id"].notna()]["made_by"]) for rows in (first, second))
    assert "a board" in made_then
    anew = second[second["made_by"] == "a board"]
    assert set(anew["arch_id"]) >= set(before[before["weights_digest"] == trained[1]["weights_digest"]]["arch_id"])
    scored = [event for event in comparable_trace(run) if event["event"] == "evaluation" and event["round"] == 0]
    own = first[first["made_by"] != "a board"]
    assert {event["arch_id"] for event in scored} <= set(own["arch_id"])
    assert made_first
    assert comparable_trace(tmp_path / "run") == comparable_trace(run), "the same bits, whoever is said to make them"


def test_more_prompts_ask_only_for_new_ones(experiment: Path, tmp_path: Path) -> None:
    """Of 3 prompts the first, whole chunk of 2 is found again; the last, partial one is all that is lost."""
    store = tmp_path / "store"
    more = [f"score_store={store}", "search.max_rounds=1"]
    search(experiment, tmp_path / "few", overrides=more)
    before = ScoreStore(store).frame()
    search(experiment, tmp_path / "many", overrides=[*more, "validation.num_prompts=6"])
    after = ScoreStore(store).frame()
    first_chunk = before["prompts_digest"].value_counts().idxmax()
    kept = before[before["prompts_digest"] == first_chunk]
    again = after[after["prompts_digest"] == first_chunk]
    shared = again.merge(kept, on=["weights_digest", "arch_id", "prompt_id", "made_by"])
    assert len(shared) == len(kept)
    assert (shared["clip_x"] == shared["clip_y"]).all()
    config = load_config(experiment, overrides=["validation.num_prompts=6"])
    assert config.validation.num_prompts == 6
