"""One training as a value that travels between processes: what a config says of it, found and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from latency.exporters.extras import load_extra
from nas.config.identity.places import without_places
from nas.config.pins import pinned
from nas.config.places.absolute_paths import absolute_path, with_absolute_paths
from nas.config.sections import ExperimentConfig
from nas.evaluation.clip.caption_lengths import warn_of_long_captions
from nas.launching.checking import check_workers
from nas.launching.directory import TrainingDirectory
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.schedulers import check_sampling
from nas.pipelines.source import find_model
from nas.references.start import Start, find_start
from nas.scores.drawing import shown_captions
from nas.training.data.checking import check_pictures, first_captions
from nas.training.data.readers.opening import open_pictures
from nas.training.skipping.making import skip_strategy
from nas.training.step import rows_of
from search_spaces.files.digests import files_digest
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import SEARCHED
from search_spaces.unets.diffusers_config import space_from_config
from search_spaces.unets.space import UNetSpace

SECTION: Final = "robust_training"
NUM_PROMPTS: Final = 8  # that sample pictures are drawn of
_NO_MATTER: Final = ("device", "recovery_iterations")
_SEARCH: Final = ("space", "start", "protected", "max_copies_per_block", "copy_start")  # what training reads of it


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One training.

    Attributes:
        config: The experiment; places are absolute.
        model: Its model.
        start: The architecture that is trained, with its weights.
        folder: What it writes to.
        contents: Digests of what stands at the places that it reads, by the setting that names each.
        prompts: Of sample pictures; none where none are drawn.
        tensorboard: Whether events are written for it.
    """

    config: ExperimentConfig
    model: ModelFolder
    start: Start
    folder: TrainingDirectory
    contents: Mapping[str, str]
    prompts: tuple[str, ...]
    tensorboard: bool

    @property
    def space(self) -> UNetSpace:
        """The search space of the model."""
        search = self.config.search
        return space_from_config(self.model.unet_config(), max_copies=search.max_copies_per_block, form=search.space)

    @property
    def pictures(self) -> Path:
        """Folder below which encoded pictures are kept."""
        return self.config.picture_cache or self.folder.path / "pictures"

    @property
    def origin(self) -> dict[str, str]:
        """What the weights to start from are, by content."""
        part = self.model.part("unet")
        return {"model": files_digest(self.model.part_files("unet"), folder=part), **self.start.digests}

    def identity(self) -> dict[str, Any]:
        """The settings that its weights follow from, as plain values without places."""
        config = without_places(self.config.plain())
        training = {name: each for name, each in config["robust_training"].items() if name not in _NO_MATTER}
        return {
            "model": config["model"],
            "model_variant": config["model_variant"],
            "seed": config["seed"],
            "num_threads": config["num_threads"],
            "sampling": {"scheduler": config["sampling"]["scheduler"]},
            "search": {name: config["search"][name] for name in _SEARCH},
            "robust_training": training,
            "origin": self.origin,
        }


def find_job(config: ExperimentConfig, out: Path, /, *, tensorboard: bool = False) -> TrainingJob:
    """Read and check what a training needs of an experiment: its table, scores and target are not looked at.

    Args:
        config: The experiment.
        out: Directory to train in.
        tensorboard: Whether to write events.

    Raises:
        UserError: A missing or broken part; the message names the remedy.
        MissingExtraError: TensorBoard, or Ray, is asked for and not installed.
    """
    training = config.robust_training
    if not training.iterations:
        raise UserError(
            "`robust_training.iterations` must be at least 1 to train, but is 0; say how many steps, and on which "
            "captioned pictures, such as robust_training.iterations=1000 robust_training.pictures=FOLDER"
        )
    config = with_absolute_paths(config, absolute=lambda key, given: absolute_path(given, key=key, folder=Path.cwd()))
    config = pinned(config)
    if tensorboard:
        load_extra("torch.utils.tensorboard", extra="tensorboard")
    model = find_model(config.model, variant=config.model_variant)
    check_sampling(config.sampling, model=model)
    prompts: list[str] = []
    if training.sample_every:
        prompts = shown_captions(config.validation, seed=config.seed, num=NUM_PROMPTS)
    if model.unet_config()["_class_name"] == SEARCHED:
        raise UserError(
            f"`model` must be a base model, but {config.model} holds a searched UNet; give its base as `model`, and "
            "the folder as `search.start`"
        )
    rows_of(training, world=training.workers.num_workers)
    check_workers(training.workers, device=config.training_device, section=SECTION)
    assert training.pictures is not None, "the config asks for pictures when there are iterations"
    pictures = open_pictures(training.pictures, settings=training.data)
    check_pictures(pictures, max_corrupt_share=training.data.max_corrupt_share)
    job = TrainingJob(
        config=config,
        model=model,
        start=find_start(config.search.start, model=model, space_base=space_from_config(model.unet_config()).base),
        folder=TrainingDirectory(out.absolute()),
        contents={"model": model.digest(), f"{SECTION}.pictures": pictures.digest},
        prompts=tuple(prompts),
        tensorboard=tensorboard,
    )
    space, architecture = job.space, job.start.architecture
    space.check(architecture)
    skip_strategy(training.skipping, space=space, architecture=architecture, protected=config.search.protected)
    warn_of_long_captions({"training": first_captions(pictures)}, model=model, clip=None)
    return job
