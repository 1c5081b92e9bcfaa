"""Weight files of a model's folder: which safetensors hold it, of which variant, in how many shards; are they whole?

Reads file names and headers only; knows no torch and loads no weight.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

from search_spaces.files.config_laws import TEXT, Laws, config_faults, listed, mapped, whole
from search_spaces.files.strict_json import JsonError, parse_json, read_json_object
from search_spaces.files.user_error import UserError

STEMS: Final = ("diffusion_pytorch_model", "model")  # as diffusers and as transformers name weights
_FILE: Final = re.compile(
    rf"(?P<stem>{'|'.join(STEMS)})(?:\.(?P<variant>[^.]+?))?(?P<shard>-\d{{5}}-of-\d{{5}})?\.safetensors"
)
_PICKLES: Final = (".bin", ".ckpt", ".pt", ".pth")
_MAX_HEADER_BYTES: Final = 100_000_000  # what the safetensors library accepts
# Bytes per element and torch's name of the types that diffusion models are stored in.
_TYPES: Final = {
    "F64": (8, "float64"),
    "F32": (4, "float32"),
    "F16": (2, "float16"),
    "BF16": (2, "bfloat16"),
    "F8_E4M3": (1, "float8_e4m3fn"),
    "F8_E5M2": (1, "float8_e5m2"),
    "I64": (8, "int64"),
    "I32": (4, "int32"),
    "I16": (2, "int16"),
    "I8": (1, "int8"),
    "U8": (1, "uint8"),
    "U16": (2, "uint16"),
    "U32": (4, "uint32"),
    "U64": (8, "uint64"),
    "C64": (8, "complex64"),
    "BOOL": (1, "bool"),
}


class ModelFolderError(UserError):
    """A folder that holds no model that can be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """A tensor as a file's header describes it: torch's name of its type, and its shape."""

    dtype: str
    shape: tuple[int, ...]


def weight_files(folder: Path, /, *, variant: str | None = None) -> tuple[Path, ...]:
    """The safetensors files that hold a model: one, or all shards in the order of their names.

    Args:
        folder: With the model's `config.json`.
        variant: Part of the files' names, such as "fp16"; None = the files without one.

    Raises:
        ModelFolderError: There are none, only those of other variants, or shards are absent.
    """
    found = [match for path in sorted(folder.glob("*.safetensors")) if (match := _FILE.fullmatch(path.name))]
    chosen = [match for match in found if match["variant"] == variant]
    if not chosen:
        raise ModelFolderError(_none(folder, variant, sorted({match["variant"] or "" for match in found})))
    single = [folder / match.string for match in chosen if not match["shard"]]
    if single:
        return (single[0],)
    stem = chosen[0]["stem"]
    names = set(_weight_map(_index_path(folder, stem, variant)).values())
    if absent := sorted(name for name in names if not (folder / name).is_file()):
        raise ModelFolderError(
            f"every shard that {_index_path(folder, stem, variant)} names must be there, but {', '.join(absent)} "
            f"{'is' if len(absent) == 1 else 'are'} not; download or copy the folder again"
        )
    return tuple(folder / name for name in sorted(names))


def model_files(folder: Path, /, *, variant: str | None = None) -> list[Path]:
    """All files of a model's folder that loading it reads: config, weights, and the index of shards.

    Raises:
        ModelFolderError: As `weight_files`.
    """
    weights = weight_files(folder, variant=variant)
    found = [folder / "config.json", *weights]
    if (shard := _FILE.fullmatch(weights[0].name)) and shard["shard"]:
        found.append(_index_path(folder, shard["stem"], variant))
    return found


def stored_tensors(folder: Path, /, *, variant: str | None = None) -> dict[str, StoredTensor]:
    """Every tensor of a model by name, from the headers of its files, each checked to be whole.

    Raises:
        ModelFolderError: No such files, or one that is cut short or damaged, or that lacks what the index promises.
    """
    files = weight_files(folder, variant=variant)
    by_file = {path.name: read_header(path) for path in files}
    if len(files) > 1 or _FILE.fullmatch(files[0].name)["shard"]:  # type: ignore[index]  # chosen by that pattern
        index = _index_path(folder, files[0].name.partition(".")[0].partition("-")[0], variant)
        absent = sorted(name for name, file in _weight_map(index).items() if name not in by_file[file])
        if absent:
            raise ModelFolderError(
                f"the shards of {index} must hold all that it names, but {len(absent)} tensors are absent, such as "
                f"{absent[0]}; download or copy the folder again"
            )
    return {name: tensor for header in by_file.values() for name, tensor in header.items()}


def stored_dtype(folder: Path, /, *, variant: str | None = None) -> str:
    """Torch's name of the floating-point type that most of a model's numbers are stored in: "float16" and the like.

    Raises:
        ModelFolderError: As `stored_tensors`, or nothing there is a floating-point number.
    """
    counts = Counter[str]()
    for tensor in stored_tensors(folder, variant=variant).values():
        if "float" in tensor.dtype:
            counts[tensor.dtype] += prod(tensor.shape)
    if not counts:
        raise ModelFolderError(f"the weights in {folder} must be floating-point numbers, but it holds none")
    return counts.most_common(1)[0][0]


def read_header(path: Path, /) -> dict[str, StoredTensor]:
    """The tensors of one safetensors file by name, checked against the length of the file.

    Raises:
        ModelFolderError: Not a whole safetensors file.
    """
    if not path.is_file():
        raise ModelFolderError(f"there is no file {path}; download or copy the folder again")
    num_bytes = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if start == b"version ":
            raise ModelFolderError(
                f"{path} must hold weights, but is a pointer of Git LFS; fetch the file itself with `git lfs pull`"
            )
        if len(start) < 8 or not 2 <= length <= min(_MAX_HEADER_BYTES, num_bytes - 8):
            raise _damaged(path, f"its {num_bytes:,} bytes do not begin with a header")
        try:
            header = parse_json(file.read(length))
            return dict(_checked(header, num_data_bytes=num_bytes - 8 - length))
        except JsonError as error:
            raise _damaged(path, f"its header {error}") from error
        except _HeaderError as error:
            raise _damaged(path, str(error)) from error


class _HeaderError(Exception):
    """What is wrong with a header."""


_SHAPE: Final = listed(whole(0, 2**40), most=16)
_ENTRY_LAWS: Final[Laws] = {
    "dtype": TEXT,
    "shape": _SHAPE,
    "data_offsets": listed(whole(0, 2**60), least=2, most=2),
}


def _checked(header: Any, *, num_data_bytes: int) -> Iterator[tuple[str, StoredTensor]]:
    """The tensors of a header that obeys the format to the letter, as the library that reads it demands."""
    if not isinstance(header, dict):
        raise _HeaderError(f"its header is a {type(header).__name__} and no object")
    spans = []
    for name, entry in header.items():
        if name == "__metadata__":
            if not mapped(TEXT, most=10_000).holds(entry):
                raise _HeaderError("its metadata are no object of texts")
            continue
        if not isinstance(entry, dict) or entry.keys() != _ENTRY_LAWS.keys() or config_faults(entry, _ENTRY_LAWS):
            raise _HeaderError(f"{name[:200]} in its header has not exactly a type, a shape and two offsets")
        if entry["dtype"] not in _TYPES:
            raise _HeaderError(
                f"{name[:200]} is stored as {entry['dtype']!r:.50}, which is none of {', '.join(_TYPES)}"
            )
        size, dtype = _TYPES[entry["dtype"]]
        begin, end = entry["data_offsets"]
        if end - begin != size * prod(entry["shape"]):
            raise _HeaderError(f"the bytes of {name[:200]} do not fit its shape {entry['shape']}")
        spans.append((begin, end))
        yield name, StoredTensor(dtype=dtype, shape=tuple(entry["shape"]))
    last = 0
    for begin, end in sorted(spans):
        if begin != last:
            raise _HeaderError(f"two of its tensors overlap or leave a gap at byte {last:,}")
        last = end
    if last != num_data_bytes:
        raise _HeaderError(f"its header promises {last:,} bytes of weights, and {num_data_bytes:,} are there")


def _damaged(path: Path, why: str) -> ModelFolderError:
    return ModelFolderError(f"{path} must be a whole safetensors file, but {why}; download or copy it again")


def _index_path(folder: Path, stem: str, variant: str | None) -> Path:
    names = [f"{stem}.safetensors.index{f'.{variant}' if variant else ''}.json"]
    if variant:
        names.append(f"{stem}.safetensors.{variant}.index.json")  # as diffusers wrote it before 0.31
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ModelFolderError(
        f"weights in shards need an index, but {folder} has no {names[0]}; download or copy the folder again"
    )


def _weight_map(index: Path) -> dict[str, str]:
    """File by tensor."""
    try:
        names = read_json_object(index).get("weight_map")
    except JsonError as error:
        raise ModelFolderError(str(error)) from error
    if not (isinstance(names, dict) and names and all(isinstance(file, str) for file in names.values())):
        raise ModelFolderError(
            f"{index} must have a `weight_map` of files by tensor, but that is {str(names)[:80]}; "
            "download or copy the folder again"
        )
    if foreign := sorted({file for file in names.values() if not _FILE.fullmatch(file)}):
        raise ModelFolderError(f"{index} must name safetensors files beside it, but names {foreign[0]!r}")
    return names


def _none(folder: Path, variant: str | None, others: list[str]) -> str:
    """Why a folder has no weights of a variant."""
    if others:
        wanted = f"of the variant {variant!r}" if variant else "without a variant"
        there = " and ".join(f"the variant {other!r}" if other else "weights without a variant" for other in others)
        remedy = " or ".join(f"variant {other!r}" if other else "no variant" for other in others)
        return f"weights {wanted} were asked for, but {folder} holds {there}; ask for {remedy}"
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES) if folder.is_dir() else []
    there = f"none, only pickles ({', '.join(pickles)}), which are never opened" if pickles else "none"
    return f"weights must be safetensors, but {folder} has {there}; save the model with safetensors"
