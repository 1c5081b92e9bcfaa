"""The UNets of a distillation: whatever a config names, as a supernet at its architecture, with what it predicts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import torch
from diffusers import UNet2DConditionModel

from nas.pipelines.index import INDEX
from nas.pipelines.model_folder import ModelFolder, differing_latents
from nas.pipelines.schedulers import make_scheduler, scheduler_config
from nas.pipelines.source import local_folder
from nas.references.base_model import ROOM_FOR_COPIES
from nas.references.start import Start, find_start
from nas.runs.directory import is_run
from search_spaces.architecture import Architecture
from search_spaces.files.digests import digest_of, files_digest
from search_spaces.files.paths import local_path
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import SEARCHED, load_unet, read_unet_config, unet_folder
from search_spaces.folders.weight_files import model_files
from search_spaces.supernet import Supernet
from search_spaces.unets.diffusers_config import TOLD, TOLD_WEIGHT, space_from_config
from search_spaces.unets.space import UNetSpace

_OF_A_FOLDER: Final = ("_class_name", "_diffusers_version", "_name_or_path", "architecture")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedUNet:
    """A UNet that somebody names, before its weights are loaded; it travels between processes.

    Attributes:
        name: For messages.
        base: Config of the `UNet2DConditionModel` that it was cut out of, or that it is.
        architecture: What it computes, in the space of that.
        digest: Of its content.
        kind: What it predicts.
        betas: Digest of the forward process that it was trained with.
        folder: Holds its weights; None = they come from a start.
        variant: Of the folder's weight files.
        start: A run's or a spec's; None = the weights are a folder's.
        model: The base model of a start.
    """

    name: str
    base: Mapping[str, Any]
    architecture: Architecture
    digest: str
    kind: str
    betas: str
    folder: Path | None = None
    variant: str | None = None
    start: Start | None = None
    model: ModelFolder | None = None

    @property
    def space(self) -> UNetSpace:
        """The space of its architecture, with room for any number of copies."""
        return space_from_config(self.base, max_copies=ROOM_FOR_COPIES)

    @property
    def told(self) -> int | None:
        """The width in which it is told its guidance; None = it is not."""
        told: int | None = self.base.get(TOLD)
        return told

    def telling(self, width: int, /) -> Self:
        """The same with a place where it is told its guidance, which changes nothing at first."""
        return self if self.told is not None else replace(self, base={**self.base, TOLD: width})

    def load(self, *, device: torch.device) -> Supernet:
        """A supernet at the architecture, with its weights.

        Raises:
            ModelFolderError: They are gone or damaged.
        """
        with torch.random.fork_rng(devices=()):  # weights of blocks that it lacks, which nobody sees
            torch.manual_seed(0)
            unet = UNet2DConditionModel.from_config(dict(self.base)).eval()
        supernet = Supernet(unet, space=self.space)
        with supernet.switched(self.architecture) as cut:
            given = self._weights()
            if self.told is not None and TOLD_WEIGHT not in given:
                given = {**given, TOLD_WEIGHT: torch.zeros_like(cut.state_dict()[TOLD_WEIGHT])}  # as Meng et al. begin
            cut.load_state_dict(given)
        supernet.switch(self.architecture)
        unet.to(device)
        return supernet

    def _weights(self) -> dict[str, torch.Tensor]:
        if self.folder is not None:
            return dict(load_unet(self.folder, variant=self.variant).state_dict())
        assert self.start is not None, "from a folder, or from a start"
        assert self.model is not None, "a start has a base model"
        supernet = Supernet(self.model.load_unet(), space=self.space)
        self.start.give_weights(supernet)
        return dict(supernet.materialise(self.architecture).state_dict())


def named_unet(reference: str | Path | None, /, *, model: ModelFolder, role: str) -> NamedUNet:
    """The UNet that a config names.

    Args:
        reference: A pipeline or UNet folder, ours or anybody's; a run, a spec or a known name of the model's; None =
            the model's own UNet.
        model: The model: its pipeline is around the UNet.
        role: "student" or "teacher", for messages.

    Raises:
        ValueError: Nothing that can be read, or a UNet that does not fit into the model's pipeline.
    """
    if reference is None:
        return _of_folder(model.path, model=model, role=role, variant=model.variant)
    path = local_path(reference)
    is_spec = path.is_file() or is_run(path)
    if not is_spec and (path.is_dir() or str(reference).startswith("hub:")):
        folder = local_folder(reference)
        return _of_folder(folder, model=model, role=role, variant=_variant(folder, model))
    config = model.unet_config()
    if config["_class_name"] == SEARCHED:
        raise UserError(
            f"`{role}` is a run or a spec, so that `model` must be its base model, but {model.path} holds a searched "
            "UNet; give the base model"
        )
    base = _bare(config)
    kind, betas = _process(model)
    start = find_start(str(reference), model=model, space_base=space_from_config(base).base)
    return NamedUNet(
        name=str(reference),
        base=base,
        architecture=start.architecture,
        digest=digest_of({"model": _digest(model.path, model.variant), **start.digests}),
        start=start,
        model=model,
        kind=kind,
        betas=betas,
    )


def _of_folder(folder: Path, *, model: ModelFolder, role: str, variant: str | None) -> NamedUNet:
    config = read_unet_config(folder)
    base = _bare(config)
    space = space_from_config(base, max_copies=ROOM_FOR_COPIES)
    architecture = space.base
    if config["_class_name"] == SEARCHED:
        architecture = Architecture.from_dict(config.get("architecture"))
        space.check(architecture)
    own = model if folder == model.path else None
    if own is None and (folder / INDEX).is_file():
        own = ModelFolder(folder, variant=variant)
    _check_fits(base, model, role=role, folder=folder)
    if own is not None and (differing := differing_latents(own, model)):
        raise UserError(
            f"the {role} must draw latents of {model.path}, but those of {folder} are others: {differing}; give one of "
            "the same autoencoder"
        )
    kind, betas = _process(own or model)
    return NamedUNet(
        name=str(folder),
        base=base,
        architecture=architecture,
        digest=_digest(folder, variant),
        folder=folder,
        variant=variant,
        kind=kind,
        betas=betas,
    )


def _check_fits(base: Mapping[str, Any], model: ModelFolder, *, role: str, folder: Path) -> None:
    """Check that a UNet fits into a model's pipeline."""
    keys = ("in_channels", "out_channels", "cross_attention_dim", "addition_embed_type", "sample_size")
    theirs = model.unet_config()
    pairs = [(key, _in_short(base.get(key)), _in_short(theirs.get(key))) for key in keys]
    if wrong := [f"`{key}` {own} instead of {wanted}" for key, own, wanted in pairs if own != wanted]:
        raise UserError(
            f"the {role} must fit into the pipeline of {model.path}, but the UNet in {folder} has {', '.join(wrong)}; "
            "give one of the same latents and text encoders"
        )


def _in_short(value: Any) -> Any:
    """One number for a list of the same one: configs that were written again say it for each stage, or side."""
    return value[0] if isinstance(value, list | tuple) and value and all(each == value[0] for each in value) else value


def _process(model: ModelFolder) -> tuple[str, str]:
    """What a model's UNet predicts, and a digest of the forward process."""
    scheduler = make_scheduler("DDIMScheduler", config=scheduler_config(model))
    alphas = [round(float(each), 6) for each in scheduler.alphas_cumprod]
    return scheduler.config.prediction_type, digest_of({"alphas_cumprod": alphas})


def _bare(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in _OF_A_FOLDER}


def _variant(folder: Path, model: ModelFolder) -> str | None:
    """The variant of a folder's weight files: none where there are plain ones, else the model's."""
    has_plain = any(path.name.count(".") == 1 for path in unet_folder(folder).glob("*.safetensors"))
    return None if has_plain else model.variant


def _digest(folder: Path, variant: str | None) -> str:
    unet = unet_folder(folder)
    return files_digest(model_files(unet, variant=variant), folder=unet)
