"""Executing a `Train` step: from a checkpoint when an earlier process wrote one, by training otherwise."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from nas.algorithms.algorithm import AlgorithmError
from nas.algorithms.steps import FIRST, Job, Recipe
from nas.config.sections import ExperimentConfig, part_identity
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.schedulers import make_scheduler
from nas.runs.checkpoint import weights_digest
from nas.runs.directory import RunDirectory
from nas.runs.records.writing import LossLines
from nas.training.captioned_pictures import encode_pictures
from nas.training.data.readers.metadata import read_folder
from nas.training.latent_set import LatentSet
from nas.training.noise_schedule import NoiseSchedule
from nas.training.robust import time_step, train
from nas.training.settings import RobustTrainingSettings
from search_spaces.architecture import Architecture
from search_spaces.files.digests import digest_of
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What robust training reads."""

    pictures: LatentSet
    schedule: NoiseSchedule


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
        protected: frozenset[str],
        supernet: Supernet,
        start: Callable[[Supernet], None],
        run: RunDirectory,
    ) -> None:
        self._config, self._protected, self._supernet, self._run = config, protected, supernet, run
        self._model, self._start = model, start
        self._held = FIRST  # digest of the weights that the supernet holds
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
        weights = self._run.read_weights(round_number, job=index, made_from=made_from)
        if weights is not None:
            self._take(weights)
            self._supernet.switch(job.architecture)
        else:
            self.hold(job.parent)
            self._supernet.switch(job.architecture)
            if iterations:
                settings = _without_dropping(training) if recovering else training
                lines = LossLines(on_losses)

                def on_loss(step: int, loss: float) -> None:
                    lines.add(loss)
                    on_step(step, iterations)

                losses = self._steps(
                    settings, iterations, seed=1000 * self._config.seed + round_number, on_loss=on_loss
                )
                lines.end()
            self._run.write_checkpoint(
                round_number,
                architecture=job.architecture,
                weights=self._supernet.weights(),
                job=index,
                made_from=made_from,
            )
        self._held = weights_digest(self._supernet.weights())
        self._places[self._held].append((round_number, index))
        return TrainedJob(iterations=iterations, losses=losses, weights_digest=self._held)

    def _origin(self, job: Job, iterations: int) -> dict[str, str]:
        """What the weights that a job gives are made from, by name."""
        training = part_identity("robust_training", self._config.robust_training)
        settings = {name: value for name, value in training.items() if name != "pictures"}  # a path
        recipe = {"recipe": job.recipe, "iterations": iterations, "seed": self._config.seed, "settings": settings}
        return {"parent": job.parent, "arch_id": job.architecture.arch_id, "training": digest_of(recipe)}

    def hold(self, digest: str, /) -> None:
        """Bring the supernet's weights to those of a digest that a training of this search gave, or to the first ones.

        Raises:
            ValueError: The checkpoint that holds them is gone.
        """
        if digest == self._held:
            return
        if digest == FIRST:
            base = self._model.load_unet()
            self._take(base.state_dict())
            self._start(self._supernet)
        else:
            if digest not in self._places:
                raise AlgorithmError(
                    f"weights must be those that a training of this search gave, but nobody gave {digest!r}: a fault "
                    "of the search algorithm"
                )
            number, index = self._places[digest][0]
            weights = self._run.read_weights(number, job=index, digest=digest)
            if weights is None:
                raise UserError(
                    f"the weights {digest} of round {number} must stand in {self._run.path / 'checkpoints'}, but are "
                    "gone; run the same command again, which trains them again"
                )
            self._take(weights)
        self._held = digest

    def _take(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Weights of another branch of the search, with the copies that it made and no others."""
        self._supernet.forget_copies()
        self._supernet.load_weights(weights)

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
                data=self._data.pictures,
                schedule=self._data.schedule,
                settings=training,
                protected=self._protected,
            )

    def _steps(
        self, settings: RobustTrainingSettings, iterations: int, *, seed: int, on_loss: Callable[[int, float], None]
    ) -> list[float]:
        torch.set_num_threads(self._config.num_threads)
        with torch.compiler.set_stance("force_eager"):  # blocks may be compiled, for scoring
            return train(
                self._supernet,
                data=self._data.pictures,
                schedule=self._data.schedule,
                settings=settings,
                protected=self._protected,
                num_iterations=iterations,
                seed=seed,
                on_step=on_loss,
            )

    @cached_property
    def _data(self) -> TrainingData:
        folder = self._config.robust_training.pictures
        assert folder is not None, "the config asks for pictures when there are iterations"
        parts = PipelineParts.load(self._model)
        height, width = self._supernet.space.sample_size
        size_px = (height * parts.autoencoder.scale, width * parts.autoencoder.scale)
        pictures = encode_pictures(read_folder(folder), parts=parts, size_px=size_px)
        scheduler = make_scheduler(self._config.sampling.scheduler, config=parts.scheduler_config)
        schedule = NoiseSchedule(
            alphas_cumprod=scheduler.alphas_cumprod, prediction_type=scheduler.config.prediction_type
        )
        return TrainingData(pictures=pictures, schedule=schedule)


def _without_dropping(settings: RobustTrainingSettings) -> RobustTrainingSettings:
    return replace(settings, drop_probability=0.0, drop_probability_by_stage={})
