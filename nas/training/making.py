"""From a model's folder and settings to what a training takes: its pictures as batches, and what is minimised."""

from pathlib import Path

from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.noise_schedule import NoiseSchedule
from nas.pipelines.schedulers import make_scheduler, scheduler_config
from nas.training.data.batches import TrainingData
from nas.training.data.encoding import Encoder
from nas.training.data.encoding_once import Progress
from nas.training.data.opening import open_training_data
from nas.training.data.settings import DataSettings
from nas.training.denoising import Denoising
from nas.training.distillation import Distillation
from nas.training.settings import RobustTrainingSettings
from search_spaces.supernet import Supernet


def open_data(
    pictures: Path,
    /,
    *,
    settings: DataSettings,
    model: ModelFolder,
    supernet: Supernet,
    cache: Path,
    on_progress: Progress = lambda done, total: None,
) -> TrainingData:
    """Captioned pictures as batches for a model, encoded on the device where its supernet is.

    Args:
        pictures: Where they are (docs/pictures.md).
        settings: How they are read and encoded.
        model: Its autoencoder and text encoders encode them.
        supernet: Its size and device.
        cache: Folder for what is encoded once.
        on_progress: Called with pictures encoded and how many there are, if that is known.

    Raises:
        UserError: The pictures cannot be used.
        StorageError: The disk refuses.
    """
    encoder = Encoder.of_model(
        model,
        latent_size=supernet.space.sample_size,
        device=str(supernet.unet.device),
        batch_size=settings.encode_batch_size,
    )
    return open_training_data(pictures, settings=settings, encoder=encoder, cache=cache, on_progress=on_progress)


def make_objective(
    settings: RobustTrainingSettings, /, *, model: ModelFolder, scheduler: str, supernet: Supernet
) -> Denoising:
    """What a training of a model minimises; where it distils, the original UNet is loaded beside the supernet.

    Args:
        settings: Weighting and distillation.
        model: Its UNet is the teacher, its scheduler's settings the forward process.
        scheduler: Class of the scheduler.
        supernet: Its space and device.
    """
    distillation = None
    if settings.distill_outputs or settings.distill_features:
        teacher = model.load_unet().to(supernet.unet.device).requires_grad_(False)
        distillation = Distillation(
            teacher=Supernet(teacher, space=supernet.space),
            outputs=settings.distill_outputs,
            features=settings.distill_features,
        )
    return Denoising(
        schedule=NoiseSchedule.of(make_scheduler(scheduler, config=scheduler_config(model))),
        min_snr_gamma=settings.min_snr_gamma,
        distillation=distillation,
    )
