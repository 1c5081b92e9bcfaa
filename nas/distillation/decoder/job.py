"""One decoder distillation as a value that travels between processes: what a config says of it, found and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final

from nas.config.jobs.kinds import Job
from nas.config.loading import load_settings
from nas.config.places.absolute_paths import Absolute, with_paths
from nas.distillation.decoder.pruning import pruned_widths
from nas.distillation.decoder.settings import DecoderDistillationConfig
from nas.evaluation.clip.folder import check_clip_folder
from nas.launching.checking import check_workers
from nas.launching.directory import TrainingDirectory
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.schedulers import check_sampling
from nas.pipelines.source import find_model
from nas.scores.captions import read_captions
from nas.scores.prompts import Prompt, ValidationSet
from nas.settings import plain
from nas.training.step import rows_of
from search_spaces.files.digests import digest_of, files_digest

SECTION: Final = "training"
_NO_MATTER: Final = ("device", "workers", "save_every", "sample_every")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderJob:
    """One decoder distillation.

    Attributes:
        config: Places are absolute.
        model: Its pipeline draws the latents; its decoder is the teacher.
        folder: What it writes to.
        contents: Digests of what stands at the places that it reads, by the setting that names each.
        prompts: Of all latents: those to learn from, then those held out.
    """

    config: DecoderDistillationConfig
    model: ModelFolder
    folder: TrainingDirectory
    contents: Mapping[str, str]
    prompts: tuple[Prompt, ...]

    @property
    def device(self) -> str:
        """What it trains on."""
        return self.config.training.device or "cpu"

    @property
    def latents(self) -> Path:
        """Folder of the latents: named by what they follow from."""
        parts = [part for part in self.model.index.parts if part != "vae"]
        content = {
            "model": {part: files_digest(self.model.part_files(part), folder=self.model.part(part)) for part in parts},
            "sampling": plain(self.config.sampling),
            "prompts": [prompt.prompt_id for prompt in self.prompts],
            "chunk_size": self.config.latents.chunk_size,
            "num_threads": self.config.num_threads,
        }
        return (self.config.latent_cache or self.folder.path / "latents") / digest_of(content)

    @property
    def origin(self) -> dict[str, str]:
        """What the weights follow from, by content."""
        vae = files_digest(self.model.part_files("vae"), folder=self.model.part("vae"))
        return {"autoencoder": vae, "latents": self.latents.name}

    def identity(self) -> dict[str, Any]:
        """The settings that its weights follow from, as plain values without places."""
        config = plain(self.config)
        training = {name: each for name, each in config["training"].items() if name not in _NO_MATTER}
        kept = {name: config[name] for name in ("ratio", "channels", "sampling", "num_threads", "seed")}
        latents = {name: config["latents"][name] for name in ("num", "num_held_out", "chunk_size")}
        return {**self.origin, **kept, "latents_drawn": latents, "training": training}


def placed(config: DecoderDistillationConfig, /, *, absolute: Absolute) -> DecoderDistillationConfig:
    """The config with absolute paths."""
    return with_paths(config, absolute=absolute)


def load_decoder_config(path: str | PathLike[str], /, *, overrides: Sequence[str] = ()) -> DecoderDistillationConfig:
    """Read the config of a decoder distillation.

    Raises:
        ConfigError: The file is missing or breaks a law; the message lists every problem.
    """
    remedy = f"`nas init {path} --of decoder` writes one, and `nas settings --of decoder` says what it may hold"
    return load_settings(
        DecoderDistillationConfig, path, job=Job.DECODER, overrides=overrides, place=placed, remedy=remedy
    )


def find_decoder(config: DecoderDistillationConfig, out: Path, /) -> DecoderJob:
    """Read and check what a decoder distillation needs, before anything is loaded or written.

    Raises:
        UserError: A missing or broken part, or a ratio that cannot be; the message names the remedy.
    """
    training, wanted = config.training, config.latents
    rows_of(training, world=training.workers.num_workers)
    check_workers(training.workers, device=training.device or "cpu", section=SECTION)
    model = find_model(config.model, variant=config.model_variant)
    defaults = {"block_out_channels": (64,), "norm_num_groups": 32}  # diffusers' own
    pruned_widths(defaults | model.part_config("vae"), ratio=config.ratio)
    check_sampling(config.sampling, model=model)
    if config.clip is not None:
        check_clip_folder(config.clip)
    captions = read_captions(wanted.captions, num=None)
    num = wanted.num + wanted.num_held_out
    repeated = [captions[index % len(captions)] for index in range(num)]
    prompts = ValidationSet.from_captions(repeated, seed=config.seed, chunk_size=wanted.chunk_size).prompts
    return DecoderJob(
        config=config,
        model=model,
        folder=TrainingDirectory(out.absolute()),
        contents={"model": model.digest(), "latents.captions": digest_of({"captions": captions})},
        prompts=prompts,
    )
