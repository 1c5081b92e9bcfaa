"""Executing a `Train` step: from a checkpoint when an earlier process wrote one, by training otherwise."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import torch

from nas.algorithms.checking import AlgorithmError
from nas.algorithms.steps import FIRST, Job, Recipe
from nas.config.identity.covered import part_identity
from nas.config.sections import ExperimentConfig
from nas.pipelines.model_folder import ModelFolder
from nas.runs.checkpoints.weights import put_aside, weights_digest
from nas.runs.directory import RunDirectory
from nas.runs.records.writing import LossLines
from nas.training.data.batches import TrainingData
from nas.training.data.settings import DataSettings, Encoding
from nas.training.loop import StepDone, Training
from nas.training.making import make_objective, open_data
from nas.training.objective import Objective
from nas.training.settings import RobustTrainingSettings
from nas.training.skipping.making import skip_strategy
from nas.training.skipping.strategy import SkipStrategy
from nas.training.state import StateError
from nas.training.step import time_step
from search_spaces.architecture import Architecture
from search_spaces.files.digests import digest_of
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet
from search_spaces.unets.space import UNetSpace

_KNOWN_BY_CONTENT: Final = ("pictures", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedJob:
    """How a job was done; `losses` is empty when the weights came from a checkpoint."""

    iterations: int
    losses: list[float]
    weights_digest: str


class JobTrainer:
    """Executes the training steps of one search, and brings the supernet's weights back to any that it gave.

    Args:
        config: The experiment.
        model: Its base model.
        space: What it searches; sub-networks that a step trains belong to it.
        protected: Blocks that are never skipped.
        supernet: Trained in place; holds the weights that the search starts with.
        start: Gives a supernet of the base model the weights that the search starts with.
        run: Where checkpoints stand.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        /,
        *,
        model: ModelFolder,
        space: UNetSpace,
        protected: frozenset[str],
        supernet: Supernet,
        start: Callable[[Supernet], None],
        run: RunDirectory,
    ) -> None:
        self._config, self._protected, self._supernet, self._run = config, protected, supernet, run
        self._model, self._start, self._space = model, start, space
        self._held = FIRST  # digest of the weights that the supernet holds
        self._names: Collection[str] = supernet.weights().keys()  # of these weights
        self._untrained: dict[str, Job] = {}  # what gave weights by bearing copies alone, by their digest
        self._places = defaultdict[str, list[tuple[int, int]]](list)  # (round, job) by the digest of what it gave

    def train(
        self,
        job: Job,
        /,
        *,
        round_number: int,
        index: int = 0,
        on_step: Callable[[int, int], None],
        on_losses: Callable[[int, tuple[float, ...]], None] = lambda first, losses: None,
    ) -> TrainedJob:
        """Do a job, or find that it was done, and write its checkpoint; the supernet holds its weights afterwards.

        Args:
            job: The job.
            round_number: Of its step; part of the seed, which all jobs of a step share.
            index: Of the job in its step.
            on_step: Called with (training steps done, training steps in all).
            on_losses: Called now and then with (index of a step, losses of it and of those after it), with the last
                before the checkpoint is written.
        """
        assert isinstance(job.architecture, Architecture), "a supernet of a UNet trains architectures of one"
        training, recovering = self._config.robust_training, job.recipe is Recipe.RECOVERY
        iterations = round(job.share * (training.recovery_iterations if recovering else training.iterations))
        losses: list[float] = []
        made_from = self._origin(job, iterations)
        found = self._run.weights.checkpoint(round_number, job=index, made_from=made_from)
        stored = None if found is None or not iterations else self._run.weights.read(round_number, job=index)
        if found is not None and stored is not None:
            self._take(stored, found.digest)
            self._supernet.switch(job.architecture)
        else:
            self.hold(job.parent)
            self._supernet.switch(job.architecture)
            if iterations:
                settings = _without_dropping(training) if recovering else training
                state = self._run.weights.training_state(round_number, job=index)
                seed = 1000 * self._config.seed + round_number
                work = self._training(settings, iterations, seed=seed, state=state, origin=made_from)
                lines = LossLines(on_losses, done=work.losses)

                def tell(done: StepDone) -> None:
                    lines.add(done.loss)
                    on_step(done.step, iterations)

                losses = self._trained(work, on_step=tell)
                lines.end()
            self._weigh(job, is_trained=bool(iterations))
            if iterations or found is None or found.digest != self._held:
                self._run.weights.write(
                    round_number,
                    architecture=job.architecture,
                    weights=self._supernet.weights() if iterations else None,
                    digest=self._held,
                    job=index,
                    made_from=made_from,
                )
        if iterations:
            self._run.weights.training_state(round_number, job=index).unlink(missing_ok=True)
        self._places[self._held].append((round_number, index))
        return TrainedJob(iterations=iterations, losses=losses, weights_digest=self._held)

    def _weigh(self, job: Job, *, is_trained: bool) -> None:
        """Learn the digest of the weights that the supernet holds after a job."""
        weights = self._supernet.weights()
        if is_trained or self._held == FIRST or weights.keys() != self._names:  # else they are as they were
            self._names, self._held = weights.keys(), weights_digest(weights)
        if not is_trained:
            self._untrained.setdefault(self._held, job)

    def _origin(self, job: Job, iterations: int) -> dict[str, str]:
        """What the weights that a job gives are made from, by name."""
        training = part_identity("robust_training", self._config.robust_training)
        settings = {
            name: value for name, value in training.items() if name not in ("pictures", "data")
        }  # known by content
        recipe = {"recipe": job.recipe, "iterations": iterations, "seed": self._config.seed, "settings": settings}
        return {"parent": job.parent, "arch_id": job.architecture.arch_id, "training": digest_of(recipe)}

    def hold(self, digest: str, /) -> None:
        """Bring the supernet's weights to those of a digest that a training of this search gave, or to the first ones.

        Copies that were born meanwhile, by whoever scored architectures, are forgotten.

        Raises:
            ValueError: The checkpoint that holds them is gone.
        """
        if digest == self._held:
            self._supernet.forget_copies(but=self._names)
        elif digest == FIRST:
            base = self._model.load_unet()
            self._take(base.state_dict(), FIRST)
            self._start(self._supernet)
            self._names = self._supernet.weights().keys()
        elif digest in self._untrained:
            job = self._untrained[digest]
            self.hold(job.parent)
            self._supernet.switch(job.architecture)
            self._names, self._held = self._supernet.weights().keys(), digest
        else:
            self._take(self._stored(digest), digest)

    def _stored(self, digest: str) -> Mapping[str, torch.Tensor]:
        if digest not in self._places:
            raise AlgorithmError(
                f"weights must be those that a training of this search gave, but nobody gave {digest!r}: a fault "
                "of the search algorithm"
            )
        number, index = self._places[digest][0]
        weights = self._run.weights.read(number, job=index, digest=digest)
        if weights is None:
            raise UserError(
                f"the weights {digest} of round {number} must stand in {self._run.path / 'weights'}, but are gone; run "
                "the same command again, which trains them again"
            )
        return weights

    def _take(self, weights: Mapping[str, torch.Tensor], digest: str) -> None:
        """Weights of another branch of the search, with the copies that it made and no others."""
        self._supernet.forget_copies()
        self._supernet.load_weights(weights)
        self._names, self._held = weights.keys(), digest

    def job_of(self, digest: str, /, *, round_number: int) -> int:
        """Index of the job of a round whose checkpoint holds the weights of a digest.

        Raises:
            AlgorithmError: No training of the round gave them.
        """
        for number, index in self._places.get(digest, ()):
            if number == round_number:
                return index
        raise AlgorithmError(
            f"a result's weights must be those of its round, but round {round_number} gave no {digest!r}: a fault of "
            "the search algorithm"
        )

    def weights(self) -> Mapping[str, torch.Tensor]:
        """Every weight by name, sharing memory with the supernet."""
        return self._supernet.weights()

    def time_step(self) -> float:
        """Seconds of one forward and backward pass of a batch, no weight changed; 0 when the search never trains."""
        training = self._config.robust_training
        if not (training.iterations or training.recovery_iterations):
            return 0.0
        torch.set_num_threads(self._config.num_threads)
        with torch.compiler.set_stance("force_eager"):
            return time_step(
                self._supernet,
                data=self._opened(replace(training.data, encode=Encoding.PER_BATCH, shuffled_pictures=1), cache=Path()),
                objective=self._objective,
                strategy=self._strategy(training),
                settings=training,
            )

    def _training(
        self, settings: RobustTrainingSettings, iterations: int, *, seed: int, state: Path, origin: Mapping[str, str]
    ) -> Training:
        """A training of what the supernet holds, at the step where its state on disk stands."""

        def begun() -> Training:
            return Training(
                self._supernet,
                data=self._data,
                objective=self._objective,
                strategy=self._strategy(settings),
                settings=settings,
                num_steps=iterations,
                seed=seed,
                state=state,
                origin=origin,
            )

        try:
            return begun()
        except StateError as error:
            put_aside(state, str(error))
            return begun()

    def _trained(self, training: Training, *, on_step: Callable[[StepDone], None]) -> list[float]:
        torch.set_num_threads(self._config.num_threads)
        with torch.compiler.set_stance("force_eager"):  # blocks may be compiled, for scoring
            return training.run(on_step=on_step)

    def _strategy(self, settings: RobustTrainingSettings) -> SkipStrategy:
        return skip_strategy(
            settings.skipping,
            space=self._space,
            architecture=self._supernet.architecture,
            protected=self._protected,
        )

    @cached_property
    def _data(self) -> TrainingData:
        """The pictures, encoded once or as they come."""
        cache = self._config.picture_cache or self._run.path / "training" / "pictures"
        return self._opened(self._config.robust_training.data, cache=cache)

    def _opened(self, settings: DataSettings, *, cache: Path) -> TrainingData:
        pictures = self._config.robust_training.pictures
        assert pictures is not None, "the config asks for pictures when there are iterations"
        return open_data(pictures, settings=settings, model=self._model, supernet=self._supernet, cache=cache)

    @cached_property
    def _objective(self) -> Objective:
        return make_objective(
            self._config.robust_training,
            model=self._model,
            scheduler=self._config.sampling.scheduler,
            supernet=self._supernet,
        )


def _without_dropping(settings: RobustTrainingSettings) -> RobustTrainingSettings:
    return replace(settings, drop_probability=0.0, drop_probability_by_kind={}, drop_probability_by_stage={})
