"""Several found architectures as one pipeline folder: one file of weights, each architecture by its name.

The folder's own UNet holds every block that any of them has; `load_unet(folder, name=...)` cuts one out.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from nas.export.forms import MOST_PROBED, copy_other_parts, probe, with_own_tensors
from nas.export.source import ExportError, ExportSource, source_of_run
from search_spaces.architecture import Architecture
from search_spaces.files.durable.places import settled, sweep_beside
from search_spaces.files.durable.writing import whole, write_text
from search_spaces.folders.loading import SEARCHED, load_unet
from search_spaces.folders.named import ARCHITECTURES, read_named
from search_spaces.searched_unet import SearchedUNet
from search_spaces.supernet import Supernet


def export_named(runs: Mapping[str, Path], /, *, out: Path) -> tuple[str, ...]:
    """Export what several searches of one model found, with one file of weights.

    Args:
        runs: Directories of finished runs by the names that their architectures get; two or more, of one base model.
        out: Folder to write; an earlier export of the same architectures is replaced.

    Returns:
        The names, each of which was loaded and gave the bits of its own search's network.

    Raises:
        ExportError: Their weights are not the same, so that one file cannot hold them, or something else stands there.
        StorageError: The disk refuses; what stood there before stands still.
    """
    if len(runs) < 2:
        raise ExportError(f"architectures by name must be two or more, but got {len(runs)}; `nas export` writes one")
    out = settled(out)
    sweep_beside(out)
    sources = {name: source_of_run(path) for name, path in runs.items()}
    first = next(iter(sources.values()))
    for name, source in sources.items():
        _merge(first, source, name=name)
    architectures = {name: source.architecture for name, source in sources.items()}
    with whole(out, check=lambda old: _check_place(old, architectures)) as part:
        part.mkdir()
        _write(part, first.supernet, first, architectures)
        for name, source in sources.items():
            _check(part, source, name=name)
    return tuple(sources)


def _merge(first: ExportSource, source: ExportSource, *, name: str) -> None:
    """Give the first's supernet what another one has and it has not, such as copies."""
    if source.model.path != first.model.path:
        raise ExportError(f"the architectures must be of one base model, but {name} is of {source.model.path}")
    own, given = first.supernet.weights(), source.supernet.weights()
    differing = [key for key, tensor in given.items() if key in own and not torch.equal(own[key], tensor)]
    if differing:
        raise ExportError(
            f"one file of weights holds what every search left as it was, but the search {name} trained its own: "
            f"{len(differing)} tensors differ, such as {differing[0]}; export each run by itself, or search without "
            "training and train what was found afterwards"
        )
    first.supernet.update_weights(given)


def _write(folder: Path, supernet: Supernet, source: ExportSource, architectures: Mapping[str, Architecture]) -> None:
    fullest = supernet.fullest
    unet, entry = supernet.materialise(fullest), ["diffusers", "UNet2DConditionModel"]
    if fullest != supernet.space.base:
        config = source.model.unet_config()
        unet = SearchedUNet.from_supernet(unet, architecture=fullest, base_config=config)
        entry = ["search_spaces.searched_unet", SEARCHED]
    with_own_tensors(unet, torch.float32).save_pretrained(folder / "unet")
    copy_other_parts(folder, source.model, unet_entry=entry)
    genes = {name: architecture.to_dict() for name, architecture in architectures.items()}
    write_text(folder / "unet" / ARCHITECTURES, json.dumps(genes, indent=2) + "\n")


def _check(folder: Path, source: ExportSource, *, name: str) -> None:
    """Check that a name loads as the network of its search, bit for bit."""
    space = source.supernet.space
    wanted = probe(
        with_own_tensors(source.supernet.materialise(source.architecture), torch.float32), space, batch=1,
        most=MOST_PROBED,
    )["output"]  # fmt: skip
    found = probe(load_unet(folder, name=name), space, batch=1, most=MOST_PROBED)["output"]
    if not torch.equal(wanted, found):
        raise ExportError(
            f"{name} must give what its search's network gives, but differs by {(wanted - found).abs().max():.1e}"
        )


def _check_place(out: Path, architectures: Mapping[str, Architecture]) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        standing = read_named(out / "unet")
    except ValueError:
        raise ExportError(f"{out} exists and holds no architectures by name; give another --out") from None
    if dict(standing) != dict(architectures):
        raise ExportError(f"{out} exists and holds other architectures: {', '.join(standing)}; give another --out")
