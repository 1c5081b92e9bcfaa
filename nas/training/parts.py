"""What a training works with: pictures, objective and skipping, made of settings and a model, for whoever trains."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.schedulers import make_scheduler, scheduler_config
from nas.training.data.batches import TrainingData
from nas.training.data.encoding import Encoder
from nas.training.data.encoding_once import Progress
from nas.training.data.opening import open_training_data
from nas.training.data.settings import DataSettings, Encoding
from nas.training.distillation import Distillation
from nas.training.noise_schedule import NoiseSchedule
from nas.training.objective import Objective
from nas.training.settings import RobustTrainingSettings
from nas.training.skipping.making import skip_strategy
from nas.training.skipping.strategy import SkipStrategy
from search_spaces.supernet import Supernet
from search_spaces.unets.space import UNetSpace


def _silent(done: int, total: int | None) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingParts:
    """From settings to what `Training` takes.

    Attributes:
        settings: How to train.
        model: The base model: its encoders, its noise schedule, and the teacher where there is one.
        space: Sub-networks that a step trains belong to it.
        scheduler: Class name of the scheduler whose noise is learnt.
        protected: Blocks that are never skipped.
        device: Where pictures are encoded.
    """

    settings: RobustTrainingSettings
    model: ModelFolder
    space: UNetSpace
    scheduler: str
    protected: Collection[str]
    device: str

    def data(self, cache: Path, /, *, on_progress: Progress = _silent) -> TrainingData:
        """The pictures, encoded once, below a folder, or as they come.

        Raises:
            UserError: They cannot be used.
            StorageError: The disk refuses.
        """
        return self._opened(self.settings.data, cache=cache, on_progress=on_progress)

    def first_data(self) -> TrainingData:
        """The same, read from its beginning and encoded as it comes: to take the time of a step; nothing is written."""
        settings = replace(self.settings.data, encode=Encoding.PER_BATCH, shuffled_pictures=1)
        return self._opened(settings, cache=Path(), on_progress=_silent)

    def _opened(self, settings: DataSettings, *, cache: Path, on_progress: Progress) -> TrainingData:
        pictures = self.settings.pictures
        assert pictures is not None, "the config asks for pictures when there are iterations"
        encoder = Encoder.of_model(
            self.model,
            latent_size=self.space.sample_size,
            device=self.device,
            batch_size=settings.encode_batch_size,
        )
        return open_training_data(pictures, settings=settings, encoder=encoder, cache=cache, on_progress=on_progress)

    def objective(self, supernet: Supernet, /) -> Objective:
        """What is minimised; a teacher is loaded to where the supernet is."""
        settings, distillation = self.settings, None
        if settings.distill_outputs or settings.distill_features:
            teacher = self.model.load_unet().to(supernet.unet.device).requires_grad_(False)
            distillation = Distillation(
                teacher=Supernet(teacher, space=supernet.space),
                outputs=settings.distill_outputs,
                features=settings.distill_features,
            )
        scheduler = make_scheduler(self.scheduler, config=scheduler_config(self.model))
        return Objective(
            schedule=NoiseSchedule.of(scheduler), min_snr_gamma=settings.min_snr_gamma, distillation=distillation
        )

    def strategy(self, supernet: Supernet, /, *, settings: RobustTrainingSettings | None = None) -> SkipStrategy:
        """Which blocks of the supernet's current architecture steps leave out.

        Args:
            supernet: At the architecture.
            settings: Others than these, such as those of recovery.
        """
        return skip_strategy(
            (settings or self.settings).skipping,
            space=self.space,
            architecture=supernet.architecture,
            protected=self.protected,
        )
