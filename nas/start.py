"""Where a search starts: the base model, or an architecture that somebody found, with its weights where it has some."""

from dataclasses import dataclass
from pathlib import Path

import torch

from nas.architecture_source import base_model, read_architecture
from nas.pipeline_folder import folder_digest
from nas.run import RunDirectory
from nas.score_store import digest_of
from nas.spec import read_spec
from search_spaces.architecture import Architecture
from search_spaces.loading import ModelFolderError, load_unet, unet_folder
from search_spaces.supernet import Supernet


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The architecture that a search starts from.

    Attributes:
        architecture: In the space of the search's base model.
        source: Folder or run that its weights come from; None = they are the base model's.
        digest: Of its content; "" for the base model itself.
    """

    architecture: Architecture
    source: Path | None = None
    digest: str = ""

    @property
    def digests(self) -> dict[str, str]:
        """What a result depends on, beside the base model."""
        return {"start": self.digest} if self.digest else {}

    def give_weights(self, supernet: Supernet, /) -> None:
        """Give a supernet of the base model the weights that the architecture came with.

        Raises:
            ModelFolderError: They do not fit the architecture.
        """
        if self.source is None:
            return
        if is_run(self.source):
            weights = RunDirectory(self.source).read_weights(read_spec(RunDirectory(self.source).spec_path)[1]["round"])
            if weights is None:
                raise ModelFolderError(
                    f"the weights of the run {self.source} must be whole to start from, but are missing or damaged; "
                    "its own command trains them again"
                )
            supernet.load_weights(weights)
            return
        theirs = load_unet(self.source).state_dict()
        with supernet.switched(self.architecture) as unet, torch.no_grad():
            own = unet.state_dict()
            if wrong := sorted(own.keys() ^ theirs.keys()):
                raise ModelFolderError(
                    f"the weights in {self.source} must be those of its architecture, but {len(wrong)} names differ, "
                    f"such as {wrong[0]}; export it again"
                )
            for name, tensor in own.items():
                tensor.copy_(theirs[name])


def is_run(path: Path, /) -> bool:
    """Whether a path is a run directory."""
    return (path / "config.yaml").is_file()


def find_start(reference: str | None, /, *, model: Path, space_base: Architecture) -> Start:
    """The start that a config names.

    Args:
        reference: A run, spec, export, stock folder or known name; None = the base model.
        model: Folder of the base model.
        space_base: The base model's own architecture.

    Raises:
        ValueError: Nothing that can be read, or an architecture of another base model.
    """
    if reference is None:
        return Start(architecture=space_base)
    path, architecture = Path(reference), read_architecture(reference, base=base_model(model))
    if is_run(path):
        digest = read_spec(RunDirectory(path).spec_path)[1]["digests"]["weights"]
        return Start(
            architecture=architecture,
            source=path,
            digest=digest_of({"architecture": architecture.arch_id, "weights": digest}),
        )
    if path.is_dir():
        folder = unet_folder(path)
        return Start(
            architecture=architecture,
            source=folder,
            digest=digest_of({"architecture": architecture.arch_id, "weights": folder_digest(folder)}),
        )
    return Start(architecture=architecture, digest=architecture.arch_id)
