"""Manifest: which model file is which block, for a device that this machine cannot reach.

`nas latency init` writes it beside the model files of one scenario; the files go to the device, any profiler runs
them, and `nas latency import` reads the reports with the manifest in hand: one number per file, named by the file.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from latency.documents.space_laws import wrong_space
from latency.exporters.formats import Converter, ModelFormat
from latency.pricing.fit import cross_attention_dim
from latency.pricing.scenario import LatencyTableError, Workload
from search_spaces import Architecture, ArchitectureError, BlockKind, BlockSignature, Site, UNetSpace


class ManifestError(LatencyTableError):
    """A manifest, or its files, that break a law; the message holds all that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFile:
    """The file of one block.

    Attributes:
        file: Path from the manifest's folder, with "/"; a folder where the format's models are folders.
        sha256: By `search_spaces.files.digests.sha256_of`.
        signature: The key that its latency gets.
        sites: diffusers' module names of the base model's blocks that have this signature.
    """

    file: str
    sha256: str
    signature: BlockSignature
    sites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeModelFile:
    """The file of one whole UNet, for calibration.

    Attributes:
        file: As in `BlockFile`.
        sha256: As in `BlockFile`.
        architecture: Which one.
    """

    file: str
    sha256: str
    architecture: Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyFile:
    """The file of a model that does next to nothing: a call of it takes what entering the runtime takes.

    Attributes:
        file: As in `BlockFile`.
        sha256: As in `BlockFile`.
    """

    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The model files of one scenario.

    Attributes:
        format: Of all files.
        converter: What made them.
        workload: What each of them computes.
        space: The space whose blocks these are.
        blocks: A file per signature.
        whole_models: The base model first, then sub-networks; empty = nothing to calibrate with.
        empty: What is subtracted from every block; None in kits of earlier versions.
        results: The CSV beside the manifest that a person or a script fills in (`latency.kits.manifest_file`).

    Raises:
        ManifestError: No blocks; a stem, a key or an architecture twice; a path that leaves the folder; a space of
            another workload; sites that are not the base model's; whole models that do not begin with the base.
    """

    format: ModelFormat
    converter: Converter
    workload: Workload
    space: UNetSpace
    blocks: tuple[BlockFile, ...]
    whole_models: tuple[WholeModelFile, ...] = ()
    empty: EmptyFile | None = None
    results: str = "results.csv"

    def __post_init__(self) -> None:
        if wrong := [*self._wrong_names(), *self._wrong_contents()]:
            raise ManifestError("\n".join(wrong))

    @property
    def entries(self) -> tuple[BlockFile | WholeModelFile | EmptyFile, ...]:
        """All files: blocks, then whole models, then the empty one."""
        return (*self.blocks, *self.whole_models, *filter(None, (self.empty,)))

    def sites(self, architecture: Architecture, /) -> tuple[Site, ...]:
        """Blocks of an architecture of the space at this workload."""
        w = self.workload
        return self.space.sites(
            architecture, height=w.latent_height, width=w.latent_width, context_tokens=w.context_tokens
        )

    def reachable_signatures(self) -> tuple[BlockSignature, ...]:
        """Every key that a search over the space can ask for at this workload."""
        w = self.workload
        return self.space.reachable_signatures(
            height=w.latent_height, width=w.latent_width, context_tokens=w.context_tokens
        )

    def _wrong_names(self) -> list[str]:
        wrong, stems = [], dict[str, str]()
        for name in (*(entry.file for entry in self.entries), self.results):
            path = PurePosixPath(name)
            if not path.name or path.is_absolute() or ".." in path.parts or "\\" in name:
                wrong.append(f"`file` must be a path inside the manifest's folder with '/', but got {name!r}")
        for entry in self.entries:
            stem = PurePosixPath(entry.file).stem.lower()  # reports are matched by stem, on any file system
            if stem in stems:
                wrong.append(f"files must differ in their stems, but got {stems[stem]!r} and {entry.file!r}")
            stems.setdefault(stem, entry.file)
        return wrong

    def _wrong_contents(self) -> list[str]:
        wrong = [] if self.blocks else ["`blocks` must hold at least one file, but it is empty"]
        if of_space := wrong_space(self.space):
            return [*wrong, *of_space]
        widths = {"cross_attention_dim": cross_attention_dim(self.space), "temb_channels": self.space.temb_channels}
        wrong += [
            f"workload.{name}: must be the space's {value}, but got {getattr(self.workload, name)}"
            for name, value in widths.items()
            if getattr(self.workload, name) != value
        ]
        try:
            base_sites = self.sites(self.space.base)
        except ArchitectureError as error:
            return [*wrong, f"space: {error}"]
        first: dict[BlockSignature, str] = {}
        for block in self.blocks:
            if block.signature.kind is BlockKind.REST:
                wrong.append(f"{block.file}: the rest is no block and has no file")
            if (other := first.setdefault(block.signature, block.file)) != block.file:
                wrong.append(f"{block.file}: a key has one file, but {block.signature} has {other} too")
            own = tuple(site.name for site in base_sites if site.signature == block.signature)
            if sorted(block.sites) != sorted(own):
                wrong.append(f"{block.file}: `sites` must be the base model's {list(own)}, but got {list(block.sites)}")
        architectures = [model.architecture for model in self.whole_models]
        if architectures and architectures[0] != self.space.base:
            wrong.append(f"{self.whole_models[0].file}: the first whole model must be the base model, but it is not")
        for model in self.whole_models:
            if architectures.count(model.architecture) > 1:
                wrong.append(f"{model.file}: an architecture has one file, but another file has this one too")
            try:
                self.space.check(model.architecture)
            except ArchitectureError as error:
                wrong.append(f"{model.file}: {error}")
        return wrong
