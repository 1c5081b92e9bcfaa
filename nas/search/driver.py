"""The driver of a search: it executes the steps that an algorithm asks for, and writes down what came of them.

A search is a function of its config: it always starts from the beginning, and finds what an earlier process already
did in the run directory (scores by content, weights by round), so that resuming needs no logic of its own. A run that
was extended replays its first config to the end and goes on from there with the next one.
"""

import time
import warnings
from collections.abc import Mapping
from contextlib import closing
from itertools import groupby
from typing import Any

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.checking import AlgorithmError, blamed, check, check_step
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Extended, Finish, Outcome, Recipe, Score, Step, Train, Trained
from nas.config.digests import config_digest
from nas.config.experiment import Experiment
from nas.config.identity.covered import identity
from nas.config.loading import stored_values
from nas.drawing.grid import is_whole, write_grid
from nas.runs.directory import RunDirectory, RunWarning
from nas.runs.environment import environment
from nas.runs.events import Event, LimitsRefused, SearchExtended, SearchStarted, WeightsTrained
from nas.runs.spec import FoundArchitecture
from nas.runs.step_events import begun, contest_raced, decided, evaluations, finished
from nas.runs.trace import Trace, read_trace, recorded_digests
from nas.search.bookkeeping import PHASES, SCORING, SCREENING, Bookkeeper, loss_summary
from nas.search.estimate import estimated
from nas.search.progress import NOBODY, Listeners
from nas.search.results import named, write_results
from nas.search.round_training import JobTrainer
from nas.search.scoring.scorer import Scorer
from nas.search.scoring.scorers import Scorers
from nas.search.scoring.step_scorer import StepScorer
from nas.search.staff import folder_for_captions, shared_store, staffed
from nas.search.telling import Teller
from nas.workers.maker import made_by
from nas.workers.pool import WorkerPool
from nas.workers.worker import Yardstick


def search(experiment: Experiment, run: RunDirectory, /, *, listeners: Listeners = NOBODY) -> FoundArchitecture:
    """Search to the end, or continue to it.

    Args:
        experiment: What to search.
        run: Where to keep it.
        listeners: Who is told how it goes.

    Returns:
        The first result of the search; the run's `architecture.json` holds the same.
    """
    config = experiment.config

    def may_follow(old: Mapping[str, Any]) -> None:
        past = read_trace(run.trace_path) if run.trace_path.is_file() else []
        experiment.check_extends(old, digests=(recorded_digests(past) or [{}])[-1])

    with (
        run.opened(config.plain(), may_follow=may_follow, read=stored_values) as earlier,
        closing(Trace(run.trace_path)) as trace,
    ):
        if trace.begun_with is not None:
            experiment = experiment.as_begun_with(trace.begun_with)
        store = run.scores if config.score_store is None else shared_store(config.score_store)
        with staffed(
            experiment,
            run=run,
            log_folder=run.path / "logs",
            on_start=listeners.on_start,
            embedded=folder_for_captions(run, store=config.score_store),
        ) as (pool, trainer):
            if listeners.on_estimate is not None and trace.num_past == 0:
                listeners.on_estimate(estimated(experiment, pool=pool, trainer=trainer))
            scorers = Scorers(
                pool=pool,
                store=store,
                worker=experiment.worker,
                digests=experiment.digests,
                others=experiment.others,
                made_by=None if config.workers.needs_ray else made_by(config.execution.device),
            )
            session = _Session(experiment, run=run, trace=trace, pool=pool, trainer=trainer, scorers=scorers,
                               listeners=listeners)  # fmt: skip
            return session.search([*earlier, config.plain()])


class _Session:
    """One process's part of a search: executes steps with its staff."""

    def __init__(
        self,
        experiment: Experiment,
        *,
        run: RunDirectory,
        trace: Trace,
        pool: WorkerPool,
        trainer: JobTrainer,
        scorers: Scorers,
        listeners: Listeners,
    ) -> None:
        self._experiment, self._run, self._trace = experiment, run, trace
        self._pool, self._trainer, self._scorers = pool, trainer, scorers
        self._books = Bookkeeper(run, experiment.space, experiment.price_ms)
        self._recorded = {digests.get("config") for digests in recorded_digests(trace.past)}
        self._held: str | None = None  # digest of the weights that the workers hold
        self._teller = Teller(
            listeners,
            others=experiment.others,
            num_prompts=len(experiment.worker.validation.prompts),
            num_workers=experiment.config.workers.num_workers,
        )
        self._introduced = False  # whether an event of this process says what it runs on

    def search(self, configs: list[dict[str, Any]], /) -> FoundArchitecture:
        """The searches of a run's configs, each going on where the one before ended."""
        first, *further = ([*alike] for _, alike in groupby(configs, key=identity))  # a run that moved has several
        algorithm, problem = self._experiment.algorithm, self._experiment.problem_of(first[-1])
        if not further:
            self._run.keep_config(first[-1], read=stored_values)
        digests = self._announce(SearchStarted, problem, first)
        state = algorithm.start(problem)
        state, finish = self._until_finished(algorithm, state, problem)
        for alike in further:
            problem = self._experiment.problem_of(alike[-1])
            if alike is further[-1]:  # all before is replayed by now, and is the run's own
                self._run.keep_config(alike[-1], read=stored_values)
            digests = self._announce(SearchExtended, problem, alike)
            outcome = Extended(problem=problem)
            check(finish, outcome)
            state, finish = self._until_finished(algorithm, algorithm.told(state, finish, outcome), problem)
        for result in finish.results:
            self._books.priced(result.subject.architecture)
        return write_results(
            finish,
            problem=problem,
            digests=digests,
            experiment=self._experiment,
            trainer=self._trainer,
            run=self._run,
        )

    def _announce(
        self, kind: type[SearchStarted], problem: Problem[Any], alike: list[dict[str, Any]]
    ) -> Mapping[str, str]:
        """Write what a search is made of, and from where it starts; the digests of it."""
        digests = self._experiment.digests | {"config": config_digest(alike, recorded=self._recorded)}
        event = begun(kind, problem, digests=digests, score=named(self._experiment.score))
        self._emit(event, distrust=self._experiment.source.distrust)
        self._books.priced(problem.space.base)
        return digests

    def _until_finished(self, algorithm: Algorithm[Any], state: Any, problem: Problem[Any]) -> tuple[Any, Finish]:
        for number in range(algorithm.max_steps(problem)):
            with blamed(algorithm, number):
                step: Step = algorithm.step(state)
                check_step(step, problem=problem)
            if step.decision is not None:
                self._emit(decided(step.decision))
                self._teller.round_done(step.decision)
            if isinstance(step, Finish):
                self._emit(finished(step, problem=problem))
                return state, step
            outcome = self._train(step, problem) if isinstance(step, Train) else self._score(step, problem)
            check(step, outcome)
            with blamed(algorithm, number):
                state = algorithm.told(state, step, outcome)
        raise AlgorithmError(
            f"the search algorithm {algorithm.declaration.name!r} must finish within {algorithm.max_steps(problem)} "
            "steps, as its `max_steps` says, but asks for more; this is its own fault"
        )

    def _train(self, step: Train, problem: Problem[Any]) -> Outcome:
        digests: list[str] = []
        for index, job in enumerate(step.jobs):
            start, began = time.time(), time.perf_counter()
            trained = self._trainer.train(
                job,
                round_number=step.round,
                index=index,
                on_step=self._teller.reporter(PHASES[job.recipe], step, architecture=job.architecture, problem=problem),
                on_losses=self._books.losses(job, round_number=step.round, index=index),
            )
            seconds = time.perf_counter() - began
            if trained.losses:
                self._books.trained(job, round_number=step.round, index=index, start=start, end=start + seconds)
            event = WeightsTrained(
                round=step.round,
                iterations=trained.iterations,
                recovering=job.recipe is Recipe.RECOVERY,
                weights_digest=trained.weights_digest,
                job=index if len(step.jobs) > 1 else None,
            )
            self._emit(event, seconds=seconds, **loss_summary(trained.losses))
            self._teller.trained(trained.iterations)
            digests.append(trained.weights_digest)
        return Trained(digests=tuple(digests))

    def _hold(self, weights: str) -> None:
        """Give the workers the weights of a digest."""
        if weights != self._held:
            self._trainer.hold(weights)
            self._pool.load_weights(self._trainer.weights())
            self._held = weights

    def _score(self, step: Score, problem: Problem[Any]) -> Outcome:
        start = time.perf_counter()
        shown = (step.reference or step.subjects[0]).architecture
        scorer = self._scorers.by(Yardstick.of(step))
        other = None if scorer.is_own else self._experiment.others[step.by]
        pictures_or_passes = 1 if other is None else other.passes_per_prompt
        on_chunk = self._teller.reporter(
            SCORING if other is None else SCREENING,
            step,
            architecture=shown,
            problem=problem,
            of_piece=pictures_or_passes * scorer.num_prompts / scorer.num_chunks,  # on average
        )
        outcome = self._step_scorer(step, scorer).score(step, on_chunk=on_chunk)
        spent: dict[str, float] = {"seconds": time.perf_counter() - start}
        if other is None:
            self._teller.scored(step, outcome, refers=scorer.refers)
        else:
            spent["passes"] = self._teller.screened(step, outcome, refers=scorer.refers)
        unit = None if other is None else other.unit
        for number, event in enumerate(evaluations(step, outcome, problem=problem, unit=unit)):
            self._emit(event, **({} if number else spent))
        if step.num_refused:
            num_pictures = step.num_refused * scorer.num_prompts
            self._emit(LimitsRefused(round=step.round, num_architectures=step.num_refused, num_pictures=num_pictures))
        if outcome.verdict is not None:
            self._emit(contest_raced(step, outcome, num_prompts=scorer.num_prompts))
        if outcome.reference is not None and step.is_plain:
            self._books.priced(shown)
            self._teller.referred(outcome.reference.score, latency_ms=problem.price_ms(shown))
            self._paint(step, scorer)
        return outcome

    def _step_scorer(self, step: Score, scorer: Scorer) -> StepScorer:
        """Who executes a step: the run's own score alone is raced, and has pictures kept."""
        experiment = self._experiment
        score = experiment.score if scorer.is_own else experiment.others[step.by]
        return StepScorer(
            scorer,
            hold=self._hold,
            confidence=experiment.config.validation.confidence,
            higher_is_better=score.higher_is_better,
            racing=experiment.racing if scorer.is_own else None,
            latency_error=experiment.problem.latency_error,
            num_samples=experiment.config.pictures.per_action if step.is_plain else 0,
            pictured=step.is_plain,
            on_answer=self._books.scored,
        )

    def _paint(self, step: Score, scorer: Scorer) -> None:
        """Keep the reference's pictures of the first prompts, the same every round."""
        path = self._run.path / "images" / f"round-{step.round:03d}.png"
        if step.reference is not None and not is_whole(path):
            if path.exists():
                warnings.warn(f"{path} is damaged: drawn again", RunWarning, stacklevel=2)
            self._run.check_stands()
            self._hold(step.reference.weights)
            pictures = scorer.pictures(step.reference.architecture, weights_digest=step.reference.weights)
            captions = [prompt.caption for prompt in self._experiment.worker.validation.chunk(0)]
            write_grid(path, pictures, captions=captions)

    def _emit(self, event: Event, /, **runtime: object) -> None:
        self._run.check_stands()
        if not self._trace.is_replaying and not self._introduced:
            runtime["environment"], self._introduced = environment(), True
        self._trace.emit(event.name, runtime={"time": time.time(), **runtime}, fields=event.fields())
