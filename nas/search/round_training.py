"""The training phase of a round: from its checkpoint when an earlier process wrote one, by training otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from nas.config.sections import ExperimentConfig
from nas.pipelines.folder import PipelineParts
from nas.pipelines.sampling import make_scheduler
from nas.runs.checkpoint import weights_digest
from nas.runs.directory import RunDirectory
from nas.training.captioned_pictures import encode_pictures, read_metadata
from nas.training.latent_set import LatentSet
from nas.training.noise_schedule import NoiseSchedule
from nas.training.robust import time_step, train
from nas.training.settings import RobustTrainingSettings
from search_spaces.architecture import Architecture
from search_spaces.supernet import Supernet


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What robust training reads."""

    pictures: LatentSet
    schedule: NoiseSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRound:
    """How a round was trained; `losses` is empty when the weights came from a checkpoint."""

    iterations: int
    losses: list[float]
    weights_digest: str


class RoundTrainer:
    """Brings the supernet's weights to a round.

    Args:
        config: The experiment.
        protected: Blocks that are never skipped.
        supernet: Trained in place.
        run: Where checkpoints stand.
    """

    def __init__(
        self, config: ExperimentConfig, /, *, protected: frozenset[str], supernet: Supernet, run: RunDirectory
    ) -> None:
        self._config, self._protected, self._supernet, self._run = config, protected, supernet, run

    def train(
        self, number: int, /, *, architecture: Architecture, recovering: bool, on_step: Callable[[int, int], None]
    ) -> TrainedRound:
        """Train an architecture for one round and write its checkpoint.

        Args:
            number: The round.
            architecture: The round's architecture; current in the supernet afterwards.
            recovering: Train without skipping blocks, for `recovery_iterations`.
            on_step: Called with (steps done, steps in all).
        """
        training = self._config.robust_training
        iterations = training.recovery_iterations if recovering else training.iterations
        self._supernet.switch(architecture)
        losses: list[float] = []
        weights = self._run.read_weights(number)
        if weights is not None:
            self._supernet.load_weights(weights)
        else:
            if iterations:
                settings = _without_dropping(training) if recovering else training
                losses = self._steps(settings, iterations, seed=1000 * self._config.seed + number, on_step=on_step)
            self._run.write_checkpoint(number, architecture=architecture, weights=self._supernet.weights())
        digest = weights_digest(self._supernet.weights())
        return TrainedRound(iterations=iterations, losses=losses, weights_digest=digest)

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
        self, settings: RobustTrainingSettings, iterations: int, *, seed: int, on_step: Callable[[int, int], None]
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
                on_step=lambda step, loss: on_step(step, iterations),
            )

    @cached_property
    def _data(self) -> TrainingData:
        folder = self._config.robust_training.pictures
        assert folder is not None, "the config asks for pictures when there are iterations"
        parts = PipelineParts.load(self._config.model, variant=self._config.model_variant)
        height, width = self._supernet.space.sample_size
        size_px = (height * parts.autoencoder.scale, width * parts.autoencoder.scale)
        pictures = encode_pictures(read_metadata(folder), parts=parts, size_px=size_px)
        scheduler = make_scheduler(self._config.sampling.scheduler, config=parts.scheduler_config)
        schedule = NoiseSchedule(
            alphas_cumprod=scheduler.alphas_cumprod, prediction_type=scheduler.config.prediction_type
        )
        return TrainingData(pictures=pictures, schedule=schedule)


def _without_dropping(settings: RobustTrainingSettings) -> RobustTrainingSettings:
    return replace(settings, drop_probability=0.0, drop_probability_by_stage={})
