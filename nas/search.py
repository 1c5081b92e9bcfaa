"""The driver of a search: rounds of training, scoring, deciding and evolving, each of which can be killed.

A search is a function of its config: it always starts from the beginning, and finds what an earlier process already
did in the run directory (scores by content, weights by round), so that resuming needs no logic of its own.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass

from nas.algorithms.evolving import Proposal, candidates, propose
from nas.experiment import Experiment
from nas.pictures import write_grid
from nas.round_training import RoundTrainer
from nas.run import RunDirectory
from nas.scores import Interval, mean_interval, paired_loss
from nas.scoring import Scorer
from nas.spec import FoundArchitecture, write_spec
from nas.trace import Trace
from nas.value_score import ScoredAction, ranked
from nas.worker import EvaluationTask, load_supernet
from nas.workers import make_pool
from search_spaces.actions import Action, Sign
from search_spaces.architecture import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a search stands: `done` of `total` pieces of a phase, and the last round's figures."""

    phase: str
    round: int
    done: int
    total: int
    latency_ms: float
    target_latency_ms: float
    clip: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """A round: the architecture that it started from, the actions that led there, and its scores."""

    round: int
    architecture: Architecture
    actions: tuple[Action, ...]
    weights_digest: str
    clip: Interval
    latency_ms: float


class Search:
    """One search in one run directory.

    Args:
        experiment: What to search.
        run: Where to keep it.
        on_progress: Called often; must be quick.
    """

    def __init__(
        self,
        experiment: Experiment,
        run: RunDirectory,
        /,
        *,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._experiment, self._run, self._on_progress = experiment, run, on_progress
        self._rounds: list[RoundResult] = []

    def run(self) -> FoundArchitecture:
        """Search to the end, or continue to it.

        Returns:
            The best architecture found; the run's `architecture.json` holds the same.
        """
        experiment, workers = self._experiment, self._experiment.config.workers
        with self._run.opened(experiment.config.identity()), closing(Trace(self._run.trace_path)) as trace:
            supernet = load_supernet(experiment.worker)
            pool = make_pool(
                experiment.worker, supernet=supernet, num_workers=workers.num_workers, address=workers.address
            )
            with closing(pool):
                self._trace, self._pool, self._supernet = trace, pool, supernet
                self._trainer = RoundTrainer(
                    experiment.config, settings=experiment.training, supernet=supernet, run=self._run
                )
                self._scorer = Scorer(
                    pool,
                    store=self._run.scores,
                    prompts=experiment.worker.validation,
                    protocol_digest=experiment.digests["protocol"],
                )
                return self._evolve()

    def _evolve(self) -> FoundArchitecture:
        """Algorithm 1: train, score, decide, evolve, until there is a reason to stop."""
        experiment = self._experiment
        architecture, taken = experiment.space.base, tuple[Action, ...]()
        stopped: Proposal | None = None
        self._emit(
            "search_started",
            target_latency_ms=experiment.evolving.target_latency_ms,
            base_latency_ms=experiment.price_ms(architecture),
            base=architecture.to_dict(),
            digests=experiment.digests,
        )
        while True:
            number = len(self._rounds)
            num_copies = sum(action.sign is Sign.COPY for action in taken)
            recovering = stopped is not None or self._is_settled(architecture, number, num_copies)
            weights_digest = self._train(number, architecture, recovering)
            actions = () if recovering else self._candidates(architecture)
            clip, ranking = self._score(number, architecture, actions, weights_digest)
            self._rounds.append(
                RoundResult(
                    round=number,
                    architecture=architecture,
                    actions=taken,
                    weights_digest=weights_digest,
                    clip=clip,
                    latency_ms=experiment.price_ms(architecture),
                )
            )
            self._paint(number, architecture)
            proposal = stopped or propose(
                architecture,
                ranking=ranking,
                space=experiment.space,
                settings=experiment.evolving,
                price_ms=experiment.price_ms,
                num_rounds=number,
                num_copies=num_copies,
            )
            finished = proposal.stop is not None and (recovering or not self._recovers)
            self._emit(
                "decision",
                round=number,
                actions=[str(action) for action in proposal.actions],
                stop=proposal.stop if finished else None,
            )
            if finished:
                return self._finish(proposal)
            stopped = proposal if proposal.stop is not None else None
            for action in proposal.actions:
                architecture = action.apply(architecture)
            taken += proposal.actions

    @property
    def _recovers(self) -> bool:
        """Whether the search ends with a round that trains and scores the last architecture without skipping."""
        return self._experiment.config.robust_training.recovery_iterations > 0

    def _is_settled(self, architecture: Architecture, number: int, num_copies: int) -> bool:
        """Whether a round has nothing left to decide, so that it scores the architecture alone."""
        evolving = self._experiment.evolving
        if number >= evolving.max_rounds:
            return True
        return (
            num_copies >= evolving.max_copies and self._experiment.price_ms(architecture) <= evolving.target_latency_ms
        )

    def _candidates(self, architecture: Architecture) -> tuple[Action, ...]:
        evolving = self._experiment.evolving
        return candidates(
            self._experiment.space, architecture, protected=evolving.protected, keep_copies=evolving.keep_copies
        )

    def _train(self, number: int, architecture: Architecture, recovering: bool) -> str:
        start = time.perf_counter()
        phase = "recovery" if recovering else "robust training"
        trained = self._trainer.train(
            number,
            architecture=architecture,
            recovering=recovering,
            on_step=lambda done, total: self._report(phase, number, done, total, architecture),
        )
        self._emit(
            "trained",
            runtime={"seconds": time.perf_counter() - start, "losses": trained.losses},
            round=number,
            iterations=trained.iterations,
            recovering=recovering,
            weights_digest=trained.weights_digest,
        )
        self._pool.load_weights(self._supernet.weights())
        return trained.weights_digest

    def _score(
        self, number: int, architecture: Architecture, actions: Sequence[Action], weights_digest: str
    ) -> tuple[Interval, tuple[ScoredAction, ...]]:
        """CLIP of the architecture, and what each removal costs and saves, on the same prompts and noise."""
        start = time.perf_counter()
        options = {action: action.apply(architecture) for action in actions}
        scores = self._scorer.score(
            [architecture, *options.values()],
            weights_digest=weights_digest,
            on_chunk=lambda done, total: self._report("scoring", number, done, total, architecture),
        )
        confidence = self._experiment.config.validation.confidence
        price_ms = self._experiment.price_ms
        clip = mean_interval(scores[architecture], confidence=confidence)
        self._emit(
            "evaluation",
            runtime={"seconds": time.perf_counter() - start},
            round=number,
            action=None,
            arch_id=architecture.arch_id,
            clip=asdict(clip),
            predicted_latency_ms=price_ms(architecture),
            num_params=self._experiment.space.num_params(architecture),
            stages=architecture.to_dict()["stages"],
        )
        scored = []
        for action, option in options.items():
            item = ScoredAction(
                action=action,
                d_clip=paired_loss(scores[architecture], scores[option], confidence=confidence),
                d_latency_ms=price_ms(architecture) - price_ms(option),
            )
            scored.append(item)
            self._emit(
                "evaluation",
                round=number,
                action=str(action),
                arch_id=option.arch_id,
                clip=asdict(mean_interval(scores[option], confidence=confidence)),
                d_clip=asdict(item.d_clip),
                d_latency_ms=item.d_latency_ms,
                value=item.value if math.isfinite(item.value) else None,
            )
        return clip, ranked(scored)

    def _paint(self, number: int, architecture: Architecture) -> None:
        """Keep the pictures of the first prompts, the same every round."""
        path = self._run.path / "images" / f"round-{number:03d}.png"
        if not path.is_file():
            (result,) = self._pool.evaluate([EvaluationTask(architecture=architecture, chunk=0, with_pictures=True)])
            assert result.pictures is not None
            pictures = result.pictures
            captions = [prompt.caption for prompt in self._experiment.worker.validation.chunk(0)]
            write_grid(path, pictures, captions=captions)

    def _finish(self, proposal: Proposal) -> FoundArchitecture:
        """Choose the best round that meets the target, or else the fastest, and write the spec."""
        assert proposal.stop is not None
        experiment, target_ms = self._experiment, self._experiment.evolving.target_latency_ms
        meeting = [result for result in self._rounds if result.latency_ms <= target_ms]
        best = max(meeting, key=lambda r: r.clip.mean) if meeting else min(self._rounds, key=lambda r: r.latency_ms)
        found = FoundArchitecture(
            architecture=best.architecture,
            round=best.round,
            stop=proposal.stop,
            target_met=bool(meeting),
            actions=best.actions,
            base_latency_ms=experiment.price_ms(experiment.space.base),
            predicted_latency_ms=best.latency_ms,
            target_latency_ms=target_ms,
            base_clip=self._rounds[0].clip,
            clip=best.clip,
            digests={**experiment.digests, "weights": best.weights_digest},
        )
        write_spec(self._run.spec_path, found, space=experiment.space, model=experiment.config.model)
        self._emit(
            "search_finished",
            round=best.round,
            arch_id=best.architecture.arch_id,
            stop=found.stop,
            target_met=found.target_met,
        )
        return found

    def _report(self, phase: str, number: int, done: int, total: int, architecture: Architecture) -> None:
        self._on_progress(
            Progress(
                phase=phase,
                round=number,
                done=done,
                total=total,
                latency_ms=self._experiment.price_ms(architecture),
                target_latency_ms=self._experiment.evolving.target_latency_ms,
                clip=self._rounds[-1].clip.mean if self._rounds else None,
            )
        )

    def _emit(self, event: str, /, *, runtime: dict[str, object] | None = None, **fields: object) -> None:
        self._trace.emit(event, runtime={"time": time.time(), **(runtime or {})}, fields=fields)
