"""A worker that serves several scores: each starts when it is first asked for, on the base model, trained or not."""

from dataclasses import replace
from pathlib import Path

import pytest

import nas.evaluation.captions.embedder
from nas.algorithms.steps import PromptSet
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.evaluation.clip.model import ClipModel
from nas.evaluation.registry import ScoreSpec
from nas.evaluation.settings import CLIP_CHANGE
from nas.pipelines.folder import load_text_encoders
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.text_encoders import TextEncoders
from nas.scores.prompts import ValidationSet
from nas.scores.store import ScoreStore
from nas.search.scoring.scorers import Scorers
from nas.workers.pool import InProcessPool
from nas.workers.worker import EvaluationTask, EvaluationWorker, WorkerSpec, Yardstick, load_supernet

TWO = Yardstick(by="output_change", num_prompts=2)


@pytest.fixture(scope="module")
def spec(experiment: Path) -> WorkerSpec:
    return replace(resolve(load_config(experiment)).worker, others=(ScoreSpec(name="output_change"),))


def test_another_score_starts_when_it_is_asked_for_on_the_base_model_whatever_was_trained(spec: WorkerSpec) -> None:
    supernet = load_supernet(spec)
    worker, base = EvaluationWorker(spec, supernet=supernet), supernet.space.base
    alone = EvaluationWorker(
        replace(spec, score=ScoreSpec(name="output_change"), others=()), supernet=load_supernet(spec)
    )
    task = EvaluationTask(architecture=min(supernet.space.removals(base)).apply(base), chunk=0)
    expected = alone.evaluate(task).scores
    bias = supernet.weights()["conv_out.bias"]
    before = bias.clone()
    bias += 1
    moved = worker.evaluate(EvaluationTask(architecture=base, chunk=0, yardstick=TWO)).scores
    bias.copy_(before)
    assert moved == pytest.approx((1.0, 1.0), rel=1e-3), "the reference is the model folder's"
    assert worker.evaluate(replace(task, yardstick=TWO)).scores == expected
    assert len(expected) == 2
    assert worker.evaluate(task).scores != expected, "the run's own score is still there"


def test_the_run_s_own_score_on_few_prompts_takes_whole_chunks_and_its_own_keys(
    spec: WorkerSpec, tmp_path: Path
) -> None:
    store, pool = ScoreStore(tmp_path), InProcessPool(spec, supernet=load_supernet(spec))
    digests = {"protocol": "p", "protocol_output_change": "q"}
    scorers = Scorers(pool=pool, store=store, worker=spec, digests=digests)
    base, num_chunks = load_supernet(spec).space.base, list[tuple[int, int]]()
    for yardstick in (Yardstick(num_prompts=1), Yardstick(by="clip", num_prompts=2), Yardstick(), TWO):
        scorer = scorers.by(yardstick)
        scorer.score([base], weights_digest="w", on_chunk=lambda *done: num_chunks.append(done))
        assert scorer.is_own == (yardstick is not TWO)
    assert num_chunks == [(0, 1), (1, 1), (1, 1), (1, 2), (2, 2), (0, 1), (1, 1)], "what is known is not scored again"
    assert len(store.frame(score="clip", protocol_digest="p")) == 3
    assert len(store.frame(score="output_change", protocol_digest="q")) == 2


def test_all_scores_of_a_worker_look_through_one_clip(spec: WorkerSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, load = list[str](), ClipModel.__init__

    def counted(self: ClipModel, name: str, /, *, pretrained: str | None = None) -> None:
        loaded.append(name)
        load(self, name, pretrained=pretrained)

    monkeypatch.setattr(ClipModel, "__init__", counted)
    change = ScoreSpec(name=CLIP_CHANGE, settings=dict(spec.score.settings))
    held_out = ValidationSet.from_captions(["a red ring", "a blue fish"], seed=1, chunk_size=2)
    worker = EvaluationWorker(replace(spec, others=(change,), held_out=held_out))
    base = load_supernet(spec).space.base
    unseen, by_change = Yardstick(prompts=PromptSet.HELD_OUT), Yardstick(by=CLIP_CHANGE, num_prompts=2)
    task = EvaluationTask(architecture=base, chunk=0)
    own, other, _ = (worker.evaluate(replace(task, yardstick=each)).scores for each in (Yardstick(), unseen, by_change))
    assert loaded == [spec.score.settings["model"]]
    alone = EvaluationWorker(replace(spec, validation=held_out)).evaluate(task).scores
    assert other == alone != own, "through the same eyes, on captions of its own"


def test_workers_that_share_a_folder_give_the_scores_of_one_that_holds_its_own_and_embed_once(
    spec: WorkerSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, loaded, load = load_supernet(spec).space.base, list[Path](), load_text_encoders

    def counted(model: ModelFolder) -> TextEncoders:
        loaded.append(model.path)
        return load(model)

    monkeypatch.setattr(nas.evaluation.captions.embedder, "load_text_encoders", counted)
    tasks = [EvaluationTask(architecture=base, chunk=chunk) for chunk in range(spec.validation.num_chunks)]
    tasks += [EvaluationTask(architecture=base, chunk=0, yardstick=TWO)]

    def scores(worker: EvaluationWorker) -> list[tuple[float, ...]]:
        return [worker.evaluate(task).scores for task in tasks]

    expected, shared = scores(EvaluationWorker(spec)), replace(spec, embedded=tmp_path)
    assert len(loaded) == 1
    first, second = EvaluationWorker(shared), EvaluationWorker(shared)
    assert len(loaded) == 2, "for the empty caption, which every start needs"
    assert scores(first) == expected
    assert len(loaded) == 3
    assert scores(second) == scores(EvaluationWorker(shared)) == expected
    assert len(loaded) == 3, "the others read"
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1 + spec.validation.num_chunks


def test_what_is_not_served_is_said(spec: WorkerSpec) -> None:
    with pytest.raises(ValueError, match=r"asks for the score 'beauty', but this run serves clip, output_change alone"):
        spec.score_of("beauty")
