"""A kit for a device that this machine cannot reach: model files, a manifest, an empty CSV, and a page that explains.

One file per block and one per whole model, so that any tool which times a model file can make the table.
"""

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from latency.blocks.subnetworks import random_architectures
from latency.blocks.tasks import OnPrepare, Overhead, Task, measured_tasks, num_weights, task_calls
from latency.exporters.cache import ExportCache, weight_files
from latency.exporters.formats import Exporter, ModelFormat
from latency.kits.manifest import BlockFile, EmptyFile, Manifest, ManifestError, WholeModelFile
from latency.kits.manifest_file import MANIFEST_NAME, read_manifest, write_manifest
from latency.kits.page import SCRIPT, SCRIPT_NAME, TITLE, page
from latency.pricing.scenario import Workload
from search_spaces import Architecture, BlockSignature, UNetSpace
from search_spaces.files.digests import sha256_of
from search_spaces.files.durable.parts import sweep
from search_spaces.files.durable.places import settled_file
from search_spaces.files.durable.writing import put_copy, write_text
from search_spaces.files.strict_text import read_text
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet

PAGE_NAME: Final = "README.md"
BLOCKS: Final = "blocks"
WHOLE: Final = "whole"
EMPTY: Final = "empty_call"


def write_kit(
    supernet: Supernet,
    folder: Path,
    /,
    *,
    workload: Workload,
    exporter: Exporter,
    cache: ExportCache,
    num_subnetworks: int = 0,
    seed: int = 0,
    on_prepare: OnPrepare | None = None,
) -> Manifest:
    """Write the kit of a supernet's whole space in one format.

    Stopped and started again, it exports only what the cache does not have. The manifest comes last: a folder with one
    is complete.

    Args:
        supernet: The supernet; its architecture is the same afterwards.
        folder: Where; it may hold the same kit, whose filled-in CSV stays as it is.
        workload: What each file computes; see `latency.blocks.tasks.workload_of`.
        exporter: The format.
        cache: Where exports are kept; the kit's files are hard links to them where the disk can.
        num_subnetworks: Random sub-networks whose whole models are written for calibration, beside the base model's.
        seed: Of the sub-networks.
        on_prepare: Told before a file is written.

    Raises:
        ManifestError: The folder holds another kit.
        ValueError: The disk is too small, or the space for so many sub-networks.
    """
    space = supernet.space
    subnetworks = random_architectures(space, num=num_subnetworks, seed=seed)
    tasks = (*measured_tasks(space, subnetworks, workload=workload), Overhead.CALL)
    files = file_names(tasks, suffix=exporter.suffix)
    settled_file(folder / MANIFEST_NAME)
    _check_folder(folder, format=exporter.format, workload=workload, files=files)
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    _check_disk(folder, num_bytes=num_weights(tasks, space=space) * supernet.unet.dtype.itemsize)
    for task, call in task_calls(tasks, supernet, workload=workload, seed=seed, on_prepare=on_prepare):
        _place(cache.file_of(call, exporter), folder / files[task])
    manifest = Manifest(
        format=exporter.format,
        converter=exporter.converter,
        workload=workload,
        space=space,
        blocks=tuple(
            BlockFile(
                file=files[task],
                sha256=sha256_of(folder / files[task]),
                signature=task,
                sites=_base_sites(task, space=space, workload=workload),
            )
            for task in tasks
            if isinstance(task, BlockSignature)
        ),
        whole_models=tuple(
            WholeModelFile(file=files[task], sha256=sha256_of(folder / files[task]), architecture=task)
            for task in tasks
            if isinstance(task, Architecture)
        ),
        empty=EmptyFile(file=files[Overhead.CALL], sha256=sha256_of(folder / files[Overhead.CALL])),
    )
    write_text(folder / PAGE_NAME, page(manifest))
    if exporter.format is ModelFormat.ONNX:
        write_text(folder / SCRIPT_NAME, SCRIPT)
    write_manifest(manifest, folder)
    return manifest


def file_names(tasks: Iterable[Task], /, *, suffix: str) -> dict[Task, str]:
    """A readable path for every task, such as "blocks/resnet_1920to640_32x32.onnx"; no two stems are equal."""
    names: dict[Task, str] = {}
    taken: Counter[str] = Counter()
    num_whole = 0
    for task in tasks:
        if isinstance(task, BlockSignature):
            stem, part = _stem(task), BLOCKS
        elif isinstance(task, Overhead):
            stem, part = EMPTY, BLOCKS
        else:
            stem, part = f"subnetwork_{num_whole}" if num_whole else "base", WHOLE
            num_whole += 1
        taken[stem] += 1
        number = f"_no{taken[stem]}" if taken[stem] > 1 else ""  # differ in what the name does not say, such as heads
        names[task] = f"{part}/{stem}{number}{suffix}"
    return names


def _stem(s: BlockSignature) -> str:
    channels = f"{s.in_channels}to{s.out_channels}" if s.in_channels != s.out_channels else f"{s.in_channels}"
    parts = [str(s.kind), channels, f"{s.height}x{s.width}"]
    if s.layers > 1:
        parts.append(f"deep{s.layers}")
    if s.variant:
        parts.append(s.variant)
    return "_".join(parts)


def _base_sites(signature: BlockSignature, *, space: UNetSpace, workload: Workload) -> tuple[str, ...]:
    sites = space.sites(
        space.base,
        height=workload.latent_height,
        width=workload.latent_width,
        context_tokens=workload.context_tokens,
    )
    return tuple(site.name for site in sites if site.signature == signature)


def _place(file: Path, target: Path) -> None:
    """Put an exported file, and weights beside it, into the kit. Weights keep their names: the file knows them so."""
    for weights in weight_files(file):
        put_copy(weights, target.parent / weights.name)
    put_copy(file, target)


def _check_folder(folder: Path, *, format: ModelFormat, workload: Workload, files: dict[Task, str]) -> None:
    if not (folder / MANIFEST_NAME).exists():
        _check_free(folder)
        return
    other = read_manifest(folder)
    theirs = {entry.file for entry in other.entries}
    if (other.format, other.workload) != (format, workload) or theirs != set(files.values()):
        raise ManifestError(
            f"{folder} must be free or hold the same kit, but it holds another one: "
            f"{other.workload.base_model}, {len(theirs)} files; give another `--out`, or delete the folder"
        )


def _check_free(folder: Path) -> None:
    """Check that nothing of a folder without a manifest is replaced but what a kit that was stopped had written."""
    for name, begins in ((PAGE_NAME, TITLE), (SCRIPT_NAME, SCRIPT)):
        file = folder / name
        if file.exists() and not (file.is_file() and read_text(file).startswith(begins)):
            raise ManifestError(
                f"{folder} must be free or hold a kit, but {name} in it is not a kit's; give another `--out`"
            )


def _check_disk(folder: Path, *, num_bytes: int) -> None:
    """Refuse what would fill the disk after an hour of exporting."""
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise UserError(
            f"the files of {folder} need {num_bytes / 2**30:.1f} GiB, but the disk has {free / 2**30:.1f} GiB left; "
            "write fewer sub-networks (`--subnetworks`) or copies (`--max-copies`)"
        )
