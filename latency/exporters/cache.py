"""Blocks as files for other runtimes, kept by content: what was exported once is not exported again.

The content is everything that time depends on: structure, settings, shapes, types and converter. Weights are not
part of it, so a file may hold those of another model of the same shape: good for timing, not for pictures.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from glob import escape
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from latency.blocks.modules import ModuleCall
from latency.exporters.flat import FlatModule
from latency.exporters.formats import Converter, Exporter
from search_spaces.files.digests import sha256_of
from search_spaces.files.durable.parts import is_part
from search_spaces.files.durable.places import sweep_beside
from search_spaces.files.durable.writing import whole_with_others
from search_spaces.files.strict_json import JsonError, read_json
from search_spaces.files.user_error import UserError

DISTRIBUTION: Final = "snapfusion-nas"


class ExportedFileError(UserError):
    """An exported file that a runtime cannot take: damaged, or of what its device does not do."""


class ExportCache:
    """A folder of exported modules; it may be deleted at any time.

    Args:
        folder: Made when something is exported.
    """

    def __init__(self, folder: Path, /) -> None:
        self.folder = folder

    def file_of(self, call: ModuleCall, exporter: Exporter, /) -> Path:
        """The file of a call's module, exported unless the folder has it as it was written.

        Files beside it whose names begin with its name belong to it: weights that the format keeps apart.

        Raises:
            StorageError: The disk refuses; the folder is as it was.
            ValueError: The module is in a type that runtimes of exported files do not take from numpy.
        """
        flat = FlatModule(call).eval()
        if any(tensor.dtype is torch.bfloat16 for tensor in flat.inputs.values()):
            raise UserError("`dtype` of exported blocks must be float32 or float16, but got bfloat16")
        path = self._path(flat, exporter)
        if not _is_as_written(path):
            sweep_beside(path)
            with whole_with_others(path) as part, torch.inference_mode(False), torch.no_grad():
                exporter.write(flat, flat.inputs, part)
                digests = {file.name: sha256_of(file) for file in (part, *weight_files(part))}
                _seal_of(part).write_text(json.dumps(digests), encoding="utf-8")
        return path

    def remove(self, call: ModuleCall, exporter: Exporter, /) -> None:
        """Delete the files of a call's module, if the folder has them."""
        path = self._path(FlatModule(call).eval(), exporter)
        for file in (*weight_files(path), path, _seal_of(path)):
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)

    def _path(self, flat: FlatModule, exporter: Exporter) -> Path:
        return self.folder / f"{content_digest(flat, exporter)}{exporter.suffix}"


@contextmanager
def read_by(runtime: str, file: Path, /) -> Iterator[None]:
    """Turn whatever a runtime raises at an exported file into an error that names the file and the remedy.

    Raises:
        ExportedFileError: It cannot read the file, or not run it on its device.
    """
    try:
        yield
    except (UserError, OSError, MemoryError):
        raise
    except Exception as error:
        said = next(iter(str(error).strip().splitlines()), "no words")
        raise ExportedFileError(
            f"{runtime} cannot take {file} ({type(error).__name__}: {said}); delete the file, which is then exported "
            "anew, and if that does not help choose another backend or device"
        ) from error


def _seal_of(file: Path) -> Path:
    """What holds the digests of an exported file and its weights, so that another file in its place is not taken."""
    return file.with_name(f"{file.stem}.sha256.json")


def _is_as_written(file: Path) -> bool:
    try:
        digests = read_json(_seal_of(file))
        return file.name in digests and all(sha256_of(file.with_name(name)) == was for name, was in digests.items())
    except (JsonError, OSError, AttributeError, TypeError, ValueError):  # the seal may be anything too
        return False


def weight_files(file: Path, /) -> tuple[Path, ...]:
    """The files beside an exported one that hold its weights."""
    return tuple(sorted(other for other in file.parent.glob(f"{escape(file.name)}?*") if not is_part(other)))


def described(converter: Converter, /) -> str:
    """A converter in one line, as a table's runtime records it."""
    options = ", ".join(f"{name} {value}" for name, value in converter.options)
    return f"{converter.name} {converter.version} ({options})"


def default_cache_folder() -> Path:
    """Where exports are kept unless somebody says otherwise: `snapfusion-nas/blocks` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / DISTRIBUTION / "blocks"


def content_digest(flat: FlatModule, exporter: Exporter, /) -> str:
    """Digest of everything that an exported module's time depends on; weights are not."""
    content = {
        "format": exporter.format,
        "converter": asdict(exporter.converter),
        "inputs": [(name, list(tensor.shape), str(tensor.dtype)) for name, tensor in flat.inputs.items()],
        "fixed": _plain(flat._fixed),
        "modules": {name: _settings(m) for name, m in flat.module.named_modules(remove_duplicate=False)},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def _settings(module: nn.Module) -> dict[str, Any]:
    """A module's own part of the content: its class, its attributes, and the shapes and types of its tensors."""
    tensors = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    config = getattr(module, "config", {})
    return {
        "class": type(module).__qualname__,
        "attributes": _plain({name: value for name, value in vars(module).items() if name != "training"}),
        "config": _plain({name: value for name, value in config.items() if not name.startswith("_")}),
        "tensors": [(name, list(tensor.shape), str(tensor.dtype)) for name, tensor in tensors],
    }


def _plain(value: Any) -> Any:
    """Numbers and texts as they are, whatever holds them; of everything else the name of its kind."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(name): _plain(part) for name, part in value.items() if not str(name).startswith("_")}
        case list() | tuple():
            return [_plain(part) for part in value]
        case torch.dtype():
            return str(value)
        case _:
            return getattr(value, "__qualname__", type(value).__qualname__)
