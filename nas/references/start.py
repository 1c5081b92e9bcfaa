"""Where a search starts: the base model, or an architecture that somebody found, with its weights where it has some."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.pipelines.model_folder import ModelFolder
from nas.references.architecture import architecture_of_folder, read_architecture
from nas.references.base_model import BaseModel, base_model
from nas.references.round_weights import give_round_weights
from nas.runs.bundled.naming import named_run
from nas.runs.directory import RunDirectory, is_run
from nas.runs.found_spec import read_found
from nas.runs.spec import SPEC_NAME
from search_spaces.actions import CopyStart
from search_spaces.architecture import Architecture
from search_spaces.blocks import BlockSignature
from search_spaces.files.digests import digest_of, files_digest, folder_digest
from search_spaces.files.strict_yaml import parse_yaml
from search_spaces.folders.loading import ModelFolderError, load_unet, unet_folder
from search_spaces.folders.weight_files import model_files, stored_tensors
from search_spaces.supernet import Supernet


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The architecture that a search starts from.

    Attributes:
        architecture: In the space of the search's base model.
        source: Folder or run that its weights come from; None = they are the base model's.
        variant: Of the folder's weight files.
        digest: Of its content; "" for the base model itself.
        model: The base model, where the source is a run.
    """

    architecture: Architecture
    source: Path | None = None
    variant: str | None = None
    digest: str = ""
    model: ModelFolder | None = None

    @property
    def digests(self) -> dict[str, str]:
        """What a result depends on, beside the base model."""
        return {"start": self.digest} if self.digest else {}

    @property
    def former_digests(self) -> dict[str, str]:
        """The same as 0.1.0 had it, whose digest covered all files of a folder."""
        if self.source is None or is_run(self.source):
            return self.digests
        return {"start": _digest(self.architecture, folder_digest(self.source))}

    def give_weights(self, supernet: Supernet, /) -> None:
        """Give a supernet of the base model the weights that the architecture came with.

        Raises:
            ModelFolderError: They are gone or damaged.
        """
        if self.source is None:
            return
        if is_run(self.source):
            self._give_those_of_a_run(supernet, RunDirectory(self.source))
            return
        with supernet.switched(self.architecture) as unet:
            unet.load_state_dict(load_unet(self.source, variant=self.variant).state_dict())

    def _give_those_of_a_run(self, supernet: Supernet, run: RunDirectory) -> None:
        assert self.model is not None, "a run has a base model"
        spec = read_found(run.spec_path)[1]
        search = parse_yaml(run.read_config(), name=str(run.path / "config.yaml"))["search"]
        model, born = self.model, supernet.copy_start
        supernet.copy_start = CopyStart(search.get("copy_start", born))
        try:
            give_found_weights(supernet, run=run, spec=spec, start=search.get("start"), model=model)
        finally:
            supernet.copy_start = born


def give_found_weights(
    supernet: Supernet, /, *, run: RunDirectory, spec: Mapping[str, Any], start: str | None, model: ModelFolder
) -> None:
    """Give a supernet the weights with which a run found its architecture.

    Args:
        supernet: Of the run's base model, in its space.
        run: Holds them, or what they are made of again.
        spec: Of what was found.
        start: Where the run's search began, as its config names it.
        model: The base model.

    Raises:
        UserError: They are gone or damaged.
    """
    give_round_weights(
        supernet,
        run=run,
        round_number=spec["round"],
        job=spec.get("job", 0),
        digest=spec["digests"]["weights"],
        first=lambda born: find_start(start, model=model, space_base=born.space.base).give_weights(born),
    )


def find_start(reference: str | None, /, *, model: ModelFolder, space_base: Architecture) -> Start:
    """The start that a config names.

    Args:
        reference: A run or a bundled one's name, spec, export, stock folder or known name; None = the base model.
        model: The base model; a folder that has no plain weight files is read by its variant too.
        space_base: The base model's own architecture.

    Raises:
        ValueError: Nothing that can be read, an architecture of another base model, or weights of another UNet.
    """
    if reference is None:
        return Start(architecture=space_base)
    path, base = named_run(reference), base_model(model.path)
    architecture = read_architecture(reference, base=base)
    if is_run(path):
        weights = read_found(RunDirectory(path).spec_path)[1]["digests"]["weights"]
        return Start(
            architecture=architecture,
            source=path,
            digest=_digest(architecture, weights),
            model=model,
        )
    if not (path / "unet").is_dir() and not (path / "config.json").is_file():
        return Start(architecture=architecture, digest=architecture.arch_id)
    folder = unet_folder(path)
    if _blocks(architecture_of_folder(folder, base=base), base) != _blocks(architecture, base):
        raise ModelFolderError(
            f"the UNet in {folder} must be that of its architecture.json, but has other blocks: it may have been "
            f"exported with neutral ones; start from {path / SPEC_NAME} with the base model's weights, or export it "
            "with --form diffusers"
        )
    own_variant = None if any(path.name.count(".") == 1 for path in folder.glob("*.safetensors")) else model.variant
    stored_tensors(folder, variant=own_variant)
    return Start(
        architecture=architecture,
        source=folder,
        variant=own_variant,
        digest=_digest(architecture, files_digest(model_files(folder, variant=own_variant), folder=folder)),
    )


def _digest(architecture: Architecture, weights: str) -> str:
    return digest_of({"architecture": architecture.arch_id, "weights": weights})


def _blocks(architecture: Architecture, base: BaseModel) -> list[BlockSignature]:
    """What an architecture is made of; a stock folder does not tell alike positions apart."""
    return [site.signature for site in base.space.sites(architecture)]
