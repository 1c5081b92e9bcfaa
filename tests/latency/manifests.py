"""Manifests of a small space, model files for them, and results that fit, shared by the tests of importing."""

from pathlib import Path
from typing import Any

from latency.exporters.formats import Converter, ModelFormat
from latency.importers import Report
from latency.kits.manifest import BlockFile, Manifest, WholeModelFile
from latency.kits.manifest_file import write_manifest
from search_spaces import Architecture, BlockSignature
from search_spaces.files.digests import sha256_of
from tests.latency.strategies import TOKENS, scenario, small_space

SPACE = small_space()
REST_MS = 0.25


def milliseconds(signature: BlockSignature) -> float:
    """What a block of the imagined device takes: launches and a power of the work."""
    return round(0.02 + 1e-5 * signature.num_macs**0.9, 6)


def whole_milliseconds(architecture: Architecture) -> float:
    return round(sum(milliseconds(s.signature) for s in SPACE.sites(architecture, context_tokens=TOKENS)) + REST_MS, 6)


def architectures() -> list[Architecture]:
    """The base and three smaller ones."""
    found = [SPACE.base]
    for _ in range(3):
        found.append(SPACE.removals(found[-1])[0].apply(found[-1]))
    return found


def manifest(**parts: object) -> Manifest:
    base = SPACE.sites(SPACE.base, context_tokens=TOKENS)
    blocks = tuple(
        BlockFile(
            file=f"blocks/{str(key).replace(' ', '_').replace('->', '_')}.onnx",
            sha256=f"{index:064x}",
            signature=key,
            sites=tuple(site.name for site in base if site.signature == key),
        )
        for index, key in enumerate(SPACE.reachable_signatures(context_tokens=TOKENS))
    )
    models = tuple(
        WholeModelFile(file=f"whole/{index}.onnx", sha256=f"{index:064x}", architecture=architecture)
        for index, architecture in enumerate(architectures())
    )
    defaults: dict[str, Any] = {
        "format": ModelFormat.ONNX,
        "converter": Converter(name="torch.onnx.export", version="2.14", options=(("dynamo", "true"),), torch="2.14"),
        "workload": scenario()["workload"],
        "space": SPACE,
        "blocks": blocks,
        "whole_models": models,
    }
    return Manifest(**(defaults | parts))


def times(of: Manifest) -> dict[str, float]:
    """Milliseconds by file."""
    blocks = {block.file: milliseconds(block.signature) for block in of.blocks}
    return blocks | {model.file: whole_milliseconds(model.architecture) for model in of.whole_models}


def results(of: Manifest, **changes: object) -> Report:
    """A filled-in CSV; changes by file, None = left empty."""
    lines = (f"{file},{'' if ms is None else ms}" for file, ms in (times(of) | changes).items())
    return Report(name="results.csv", data="\n".join(["file,median_ms", *lines, ""]).encode())


def on_disk(folder: Path) -> Manifest:
    """A manifest in a folder with files that stand for models."""
    files = {entry.file: f"model {entry.file}".encode() for entry in manifest().entries}
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(content)
    plain = manifest()
    made = manifest(
        blocks=tuple(
            BlockFile(file=b.file, sha256=sha256_of(folder / b.file), signature=b.signature, sites=b.sites)
            for b in plain.blocks
        ),
        whole_models=tuple(
            WholeModelFile(file=m.file, sha256=sha256_of(folder / m.file), architecture=m.architecture)
            for m in plain.whole_models
        ),
    )
    write_manifest(made, folder)
    return made
