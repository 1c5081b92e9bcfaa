"""The files of a manifest: `manifest.json`, the results to fill in beside it, and the models that it names."""

import csv
import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from latency.documents.plain_values import strangers, validated
from latency.exporters.formats import Converter
from latency.kits.manifest import BlockFile, EmptyFile, Manifest, ManifestError, WholeModelFile
from latency.pricing.scenario import LatencyTableError, Workload
from search_spaces import Architecture, ArchitectureError, BlockSignature, UNetSpace
from search_spaces.files.digests import sha256_of
from search_spaces.files.durable.writing import write_text
from search_spaces.files.paths import no_such_file
from search_spaces.files.strict_json import JsonError, parse_json

SCHEMA_VERSION: Final = 1
MANIFEST_NAME: Final = "manifest.json"
RESULT_COLUMNS: Final = ("file", "median_ms", "p10_ms", "p90_ms", "min_ms", "mean_ms", "std_ms", "num_samples")
KEY_FIELDS: Final = tuple(f.name for f in fields(BlockSignature))


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
