"""The driver of a search: rounds of training, scoring, deciding and evolving, each of which can be killed.

A search is a function of its config: it always starts from the beginning, and finds what an earlier process already
did in the run directory (scores by content, weights by round), so that resuming needs no logic of its own. A run that
was extended replays its first config to the end and goes on from there with the next one.
"""

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from latency.trust.calibration import distrust
from nas.algorithms.course import Course, Round, Rules
from nas.algorithms.evolving import Proposal
from nas.config.experiment import Experiment
from nas.drawing.grid import write_grid
from nas.runs.directory import RunDirectory
from nas.runs.spec import FoundArchitecture, write_spec
from nas.runs.trace import Trace
from nas.scores.intervals import Interval
from nas.search.cost import CostEstimate, foresee, measure_pace
from nas.search.progress import Progress
from nas.search.round_scoring import RoundScorer, RoundScores
from nas.search.round_training import RoundTrainer
from nas.search.scorer import Scorer
from nas.search.staff import shared_store, staffed
from nas.workers.pool import WorkerPool
from search_spaces.actions import AnyAction
from search_spaces.architecture import Architecture
from search_spaces.files.digests import digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """A round: the architecture that it started from, the actions that led there, and its scores."""

    round: int
    architecture: Architecture
    actions: tuple[AnyAction, ...]
    weights_digest: str
    clip: Interval
    latency_ms: float


class Search:
    """One search in one run directory.

    Args:
        experiment: What to search.
        run: Where to keep it.
        on_progress: Called often; must be quick.
        on_start: Called with (workers ready, workers in all) while they are waited for.
        on_estimate: Called once with what a new search is going to cost; None = do without the warm-up.
    """

    def __init__(
        self,
        experiment: Experiment,
        run: RunDirectory,
        /,
        *,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_start: Callable[[int, int], None] = lambda num_ready, num_workers: None,
        on_estimate: Callable[[CostEstimate], None] | None = None,
    ) -> None:
        self._experiment, self._run = experiment, run
        self._on_progress, self._on_start, self._on_estimate = on_progress, on_start, on_estimate
        self._rounds: list[RoundResult] = []

    def run(self) -> FoundArchitecture:
        """Search to the end, or continue to it.

        Returns:
            The best architecture found; the run's `architecture.json` holds the same.
        """
        experiment, folder = self._experiment, self._experiment.config.score_store
        with (
            self._run.opened(experiment.config.identity(), may_follow=experiment.check_extends) as earlier,
            closing(Trace(self._run.trace_path)) as trace,
        ):
            store = self._run.scores if folder is None else shared_store(folder)
            with staffed(experiment, run=self._run, log_folder=self._run.path / "logs", on_start=self._on_start) as (
                pool,
                trainer,
            ):
                if self._on_estimate is not None and trace.num_past == 0:
                    self._on_estimate(_estimated(experiment, pool, trainer))
                self._trace, self._pool, self._trainer = trace, pool, trainer
                self._scorer = Scorer(
                    pool,
                    store=store,
                    prompts=experiment.worker.validation,
                    protocol_digest=experiment.digests["protocol"],
                )
                self._round_scorer = RoundScorer(experiment, self._scorer)
                return self._search([*earlier, experiment.config.identity()])

    def _search(self, configs: list[dict[str, Any]]) -> FoundArchitecture:
        """The searches of a run's configs, each going on where the one before ended."""
        base, course = self._experiment.space.base, Course.of(self._experiment.rules)
        for number, config in enumerate(configs):
            rules = self._rules = self._experiment.rules_of(config)
            digests = self._experiment.digests | {"config": digest_of(config)}
            self._emit(
                "search_extended" if number else "search_started",
                runtime={"distrust": distrust(self._experiment.table)},
                target_latency_ms=rules.settings.target_latency_ms,
                base_latency_ms=rules.price_ms(base),
                base=base.to_dict(),
                **({"start": rules.start.to_dict()} if rules.start is not None else {}),
                digests=digests,
            )
            following: Course | None = course
            while following is not None:
                course = following
                proposal, following = self._play(course, rules)
            found = self._choose(proposal, rules, digests)
            self._emit(
                "search_finished",
                round=found.round,
                arch_id=found.architecture.arch_id,
                stop=found.stop,
                target_met=found.target_met,
            )
            course = replace(course, num_rounds=course.num_rounds + 1, stopped=None)
        write_spec(self._run.spec_path, found, space=self._experiment.space, model=self._experiment.config.model)
        return found

    def _play(self, course: Course, rules: Rules) -> tuple[Proposal, Course | None]:
        """One round of Algorithm 1: train, score, decide."""
        each = course.round(rules)
        weights_digest = self._train(each)
        scores = self._score(each, weights_digest)
        self._rounds.append(
            RoundResult(
                round=each.number,
                architecture=each.architecture,
                actions=course.taken,
                weights_digest=weights_digest,
                clip=scores.clip,
                latency_ms=rules.price_ms(each.architecture),
            )
        )
        self._paint(each, weights_digest)
        proposal, following = course.decide(scores.ranking, rules)
        self._emit(
            "decision",
            round=each.number,
            actions=[str(action) for action in proposal.actions],
            stop=proposal.stop if following is None else None,
        )
        return proposal, following

    def _train(self, each: Round) -> str:
        start = time.perf_counter()
        phase = "recovery" if each.recovering else "robust training"
        trained = self._trainer.train(
            each.number,
            architecture=each.architecture,
            recovering=each.recovering,
            on_step=lambda done, total: self._report(phase, each, done, total),
        )
        self._emit(
            "trained",
            runtime={"seconds": time.perf_counter() - start, "losses": trained.losses},
            round=each.number,
            iterations=trained.iterations,
            recovering=each.recovering,
            weights_digest=trained.weights_digest,
        )
        self._pool.load_weights(self._trainer.weights())
        return trained.weights_digest

    def _score(self, each: Round, weights_digest: str) -> RoundScores:
        """CLIP of the architecture, and what its removals cost and save, on the same prompts and noise."""
        start = time.perf_counter()
        scores = self._round_scorer.score(
            each,
            weights_digest=weights_digest,
            on_chunk=lambda done, total: self._report("scoring", each, done, total),
        )
        self._emit(
            "evaluation",
            runtime={"seconds": time.perf_counter() - start},
            round=each.number,
            action=None,
            arch_id=each.architecture.arch_id,
            clip=asdict(scores.clip),
            predicted_latency_ms=self._rules.price_ms(each.architecture),
            num_params=self._experiment.space.num_params(each.architecture),
            stages=each.architecture.to_dict()["stages"],
        )
        for scored in sorted(scores.ranking, key=lambda s: s.action):
            self._emit(
                "evaluation",
                round=each.number,
                action=str(scored.action),
                arch_id=scored.action.apply(each.architecture).arch_id,
                clip=asdict(scores.clips[scored.action]),
                d_clip=asdict(scored.d_clip),
                d_latency_ms=scored.d_latency_ms,
                value=scored.value if math.isfinite(scored.value) else None,
            )
        if (verdict := scores.verdict) is not None:
            num_prompts = len(self._experiment.worker.validation.prompts)
            self._emit(
                "race",
                round=each.number,
                chosen=[str(action) for action in verdict.selected],
                ties=[[str(action) for action in pair] for pair in verdict.ties],
                num_pictures=num_prompts + sum(verdict.num_prompts.values()),
                num_pictures_exhaustive=num_prompts * (1 + len(each.options)),
            )
        return scores

    def _paint(self, each: Round, weights_digest: str) -> None:
        """Keep the pictures of the first prompts, the same every round."""
        path = self._run.path / "images" / f"round-{each.number:03d}.png"
        if not path.is_file():
            pictures = self._scorer.pictures(each.architecture, weights_digest=weights_digest)
            captions = [prompt.caption for prompt in self._experiment.worker.validation.chunk(0)]
            write_grid(path, pictures, captions=captions)

    def _choose(self, proposal: Proposal, rules: Rules, digests: dict[str, str]) -> FoundArchitecture:
        """The best round that meets the target, or else the fastest."""
        assert proposal.stop is not None
        target_ms, table = rules.settings.target_latency_ms, self._experiment.table
        meeting = [result for result in self._rounds if result.latency_ms <= target_ms]
        best = max(meeting, key=lambda r: r.clip.mean) if meeting else min(self._rounds, key=lambda r: r.latency_ms)
        return FoundArchitecture(
            architecture=best.architecture,
            round=best.round,
            stop=proposal.stop,
            target_met=bool(meeting),
            actions=best.actions,
            start=rules.start,
            base_latency_ms=rules.price_ms(rules.space.base),
            predicted_latency_ms=best.latency_ms,
            target_latency_ms=target_ms,
            base_clip=self._rounds[0].clip,
            clip=best.clip,
            digests={**digests, "weights": best.weights_digest},
            scenario="_".join(filter(None, (table.workload.base_model, table.device.compute_unit))),
        )

    def _report(self, phase: str, each: Round, done: int, total: int) -> None:
        self._on_progress(
            Progress(
                phase=phase,
                round=each.number,
                done=done,
                total=total,
                latency_ms=self._rules.price_ms(each.architecture),
                target_latency_ms=self._rules.settings.target_latency_ms,
                clip=self._rounds[-1].clip.mean if self._rounds else None,
            )
        )

    def _emit(self, event: str, /, *, runtime: dict[str, object] | None = None, **fields: object) -> None:
        self._trace.emit(event, runtime={"time": time.time(), **(runtime or {})}, fields=fields)


def estimate_cost(
    experiment: Experiment, /, *, on_start: Callable[[int, int], None] = lambda num_ready, num_workers: None
) -> CostEstimate:
    """What a search would cost on these workers, by a warm-up; nothing is written."""
    unwritten = RunDirectory(Path())
    with staffed(experiment, run=unwritten, log_folder=None, on_start=on_start) as (pool, trainer):
        return _estimated(experiment, pool, trainer)


def _estimated(experiment: Experiment, pool: WorkerPool, trainer: RoundTrainer) -> CostEstimate:
    least, most = foresee(experiment)
    return CostEstimate(least=least, most=most, pace=measure_pace(experiment, pool=pool, trainer=trainer))
