"""Manifest: which model file is which block, for a device that this machine cannot reach.

`nas latency init` writes it beside the model files of one scenario; the files go to the device, any profiler runs
them, and `nas latency import` reads the reports with the manifest in hand: one number per file, named by the file.
"""

import csv
import io
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, Final

from latency.documents.plain_values import strangers, validated
from latency.documents.space_laws import wrong_space
from latency.exporters.formats import Converter, ModelFormat
from latency.pricing.fit import cross_attention_dim
from latency.pricing.scenario import LatencyTableError, Workload
from search_spaces import Architecture, ArchitectureError, BlockKind, BlockSignature, Site, UNetSpace
from search_spaces.files.digests import sha256_of
from search_spaces.files.durable.writing import write_text
from search_spaces.files.paths import no_such_file
from search_spaces.files.strict_json import JsonError, parse_json

SCHEMA_VERSION: Final = 1
MANIFEST_NAME: Final = "manifest.json"
RESULT_COLUMNS: Final = ("file", "median_ms", "p10_ms", "p90_ms", "min_ms", "mean_ms", "std_ms", "num_samples")
KEY_FIELDS: Final = tuple(f.name for f in fields(BlockSignature))


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
        results: The CSV beside the manifest that a person or a script fills in; see `RESULT_COLUMNS`.

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


def results_template(manifest: Manifest, /) -> str:
    """The CSV to fill in: a line per file, times empty. Only `median_ms` must be given."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(RESULT_COLUMNS)
    writer.writerows((entry.file, *[""] * (len(RESULT_COLUMNS) - 1)) for entry in manifest.entries)
    return text.getvalue()


def write_manifest(manifest: Manifest, folder: Path, /) -> None:
    """Write the empty results to a folder unless a file stands there, and then `manifest.json`: whole or not at all.

    Raises:
        StorageError: The disk refuses.
    """
    if not (folder / manifest.results).exists():
        write_text(folder / manifest.results, results_template(manifest))
    write_text(folder / MANIFEST_NAME, json.dumps(to_document(manifest), indent=2) + "\n")


def read_manifest(path: Path, /) -> Manifest:
    """Read a manifest.

    Args:
        path: The file, or the folder that holds `manifest.json`.

    Raises:
        FileNotFoundError: There is none.
        ManifestError: Not a manifest of schema version 1; the message names every violation and its place.
    """
    file = path / MANIFEST_NAME if path.is_dir() else path
    if not file.is_file():
        remedy = "`nas latency init` writes one beside the model files"
        raise FileNotFoundError(no_such_file(file, what="manifest", remedy=remedy))
    try:
        return from_document(parse_json(file.read_bytes()))
    except (JsonError, LatencyTableError) as error:
        raise ManifestError(f"{file} is not a manifest that can be used:\n{error}") from error


def check_files(manifest: Manifest, folder: Path, /) -> None:
    """Check that the model files lie in a folder, as they were written.

    Raises:
        ManifestError: Some are missing or have another content; the message lists all of them.
    """
    wrong = []
    for entry in manifest.entries:
        file = folder / entry.file
        if not file.exists():
            wrong.append(f"{entry.file}: must lie in {folder}, but it is not there")
        elif (found := sha256_of(file)) != entry.sha256:
            wrong.append(f"{entry.file}: must have SHA-256 {entry.sha256[:12]}..., but has {found[:12]}...")
    if wrong:
        raise ManifestError("\n".join([*wrong, "write the files again with `nas latency init`"]))


def to_document(manifest: Manifest, /) -> dict[str, Any]:
    """Plain lists and dicts, ready for JSON."""
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **json.loads(json.dumps(asdict(manifest)))}
    document["converter"]["options"] = dict(document["converter"]["options"])
    document["blocks"] = [block.pop("signature") | block for block in document["blocks"]]
    for plain, model in zip(document["whole_models"], manifest.whole_models, strict=True):
        plain |= {"arch_id": model.architecture.arch_id, "architecture": model.architecture.to_dict()}
    return document


def from_document(document: Any, /) -> Manifest:
    """Read what `to_document` wrote.

    Raises:
        ManifestError: It breaks a law; the message holds all violations.
    """
    version = document.get("schema_version") if isinstance(document, dict) else type(document).__name__
    if version is True or version != SCHEMA_VERSION:
        raise ManifestError(f"a manifest must have `schema_version` {SCHEMA_VERSION}, but got {version!r}")
    known = tuple(f.name for f in fields(Manifest))
    wrong = strangers(document, ("schema_version", *known), place="")
    plain = {name: document[name] for name in known if name in document}
    for name, kind in (("workload", Workload), ("space", UNetSpace), ("converter", Converter), ("empty", EmptyFile)):
        if isinstance(part := plain.get(name), dict):
            wrong += strangers(part, (f.name for f in fields(kind)), place=name)
    if isinstance(converter := plain.get("converter"), dict) and isinstance(converter.get("options"), dict):
        plain["converter"] = converter | {"options": sorted(converter["options"].items())}
    if isinstance(blocks := plain.get("blocks"), list):
        plain["blocks"] = [_nested(block, f"blocks[{i}]", wrong) for i, block in enumerate(blocks)]
    if isinstance(models := plain.get("whole_models"), list):
        plain["whole_models"] = [_whole(model, f"whole_models[{i}]", wrong) for i, model in enumerate(models)]
    manifest = validated(Manifest, plain, place="", wrong=wrong)
    if wrong:
        raise ManifestError("\n".join(wrong))
    assert isinstance(manifest, Manifest)
    return manifest


def _nested(block: Any, place: str, wrong: list[str]) -> Any:
    """A block as the dataclass has it: the flat fields of its signature in an object of their own."""
    if not isinstance(block, dict):
        return block
    own = tuple(f.name for f in fields(BlockFile) if f.name != "signature")
    wrong += strangers(block, (*KEY_FIELDS, *own), place=place)
    signature = {name: block[name] for name in KEY_FIELDS if name in block}
    return {name: block[name] for name in own if name in block} | {"signature": signature}


def _whole(model: Any, place: str, wrong: list[str]) -> Any:
    """A whole model as the dataclass has it, its architecture read by its own reader."""
    if not isinstance(model, dict):
        return model
    wrong += strangers(model, (*(f.name for f in fields(WholeModelFile)), "arch_id"), place=place)
    plain = {name: value for name, value in model.items() if name in {f.name for f in fields(WholeModelFile)}}
    if "architecture" in plain:
        try:
            architecture = Architecture.from_dict(plain["architecture"])
        except ArchitectureError as error:
            wrong.append(f"{place}.architecture: {error}")
        else:
            plain["architecture"] = asdict(architecture)
            if model.get("arch_id") != architecture.arch_id:
                wrong.append(f"{place}.arch_id: must be {architecture.arch_id}, but got {model.get('arch_id')!r}")
    return plain
