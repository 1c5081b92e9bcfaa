"""Which reader a path means: a folder, a .json, tars or parquet files; of these, many by a glob or by braces."""

import re
from collections.abc import Iterator
from glob import glob
from itertools import product
from pathlib import Path
from typing import Final

from nas.training.data.readers.coco import read_coco
from nas.training.data.readers.example import PictureReader
from nas.training.data.readers.metadata import METADATA, read_folder
from nas.training.data.readers.parquets import ParquetPictures
from nas.training.data.readers.tars import TarPictures
from nas.training.data.settings import DataSettings
from search_spaces.files.user_error import UserError

_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")
_MAX_FILES: Final = 100_000
_SUFFIXES: Final = (".tar", ".parquet")


def open_pictures(path: Path, /, *, settings: DataSettings | None = None) -> PictureReader:
    """The captioned pictures at a path; no picture is read.

    Args:
        path: A folder with metadata.jsonl or metadata.csv; MS-COCO's caption JSON; a tar or parquet file; or of these,
            many: `train/*.tar`, `train/{000..127}.tar`.
        settings: How they are read; None = the defaults.

    Raises:
        UserError: Nothing is there, or it is something else.
    """
    settings = settings or DataSettings()
    if path.is_dir() or not (path.suffix or path.exists()):
        _check_folder(path)
        return read_folder(path)
    match path.suffix.lower():
        case ".json":
            return read_coco(path, images=settings.images)
        case ".tar":
            return TarPictures(files=_files(path))
        case ".parquet":
            return ParquetPictures(
                files=_files(path), picture_column=settings.picture_column, caption_column=settings.caption_column
            )
        case ".gz" | ".tgz" | ".zst" | ".bz2" | ".xz" | ".zip":
            raise UserError(f"{path} must not be compressed, but is; unpack it, pictures are small already")
    if not path.exists():
        raise UserError(
            f"there is no {path}; give a folder with {METADATA[0]}, MS-COCO's captions_*.json, or files *.tar or "
            "*.parquet"
        )
    raise UserError(
        f"{path} must be a folder with {METADATA[0]}, MS-COCO's captions_*.json, a .tar or a .parquet, but is a file "
        f"{path.suffix or 'without a suffix'}; if it is the metadata of a folder, give the folder"
    )


def files_meant(path: Path, /) -> tuple[Path, ...]:
    """The files that a path with braces and wildcards means; none where it has none of them, or means no file."""
    if not any(sign in str(path) for sign in "*?[{"):
        return ()
    try:
        return _files(path)
    except UserError:
        return ()


def _check_folder(folder: Path) -> None:
    """Check that a folder without metadata holds no set of another format, which has another path."""
    if any((folder / name).is_file() for name in METADATA):
        return
    for suffix in _SUFFIXES:
        if next(folder.glob(f"*{suffix}"), None) is not None:
            raise UserError(f"{folder} holds no {METADATA[0]}, but files *{suffix}; give them: {folder / f'*{suffix}'}")


def _files(path: Path) -> tuple[Path, ...]:
    """The files that a path with braces and wildcards means, those of a wildcard in the order of their names.

    Raises:
        UserError: One is not there, or none is.
    """
    if path.is_file():
        return (path,)
    found, absent = list[Path](), list[str]()
    for name in _expanded(str(path)):
        if Path(name).is_file():
            found.append(Path(name))
        elif wild := _globbed(name):
            found += wild
        else:
            absent.append(name)
        if len(found) + len(absent) > _MAX_FILES:
            raise UserError(f"{path} must mean at most {_MAX_FILES:,} files, but means more")
    if absent:
        told = ", ".join(absent[:3]) + (f" and {len(absent) - 3} more" if len(absent) > 3 else "")
        raise UserError(f"there is no file {told}; mend `robust_training.pictures`")
    return tuple(dict.fromkeys(found))


def _globbed(name: str) -> list[Path]:
    return sorted(each for each in map(Path, glob(name)) if each.is_file())  # noqa: PTH207  a pattern may be absolute


def _expanded(text: str) -> Iterator[str]:
    """A text without braces for every choice in them: `{a,b}`, `{000..127}`."""
    pieces = _BRACES.split(text)
    for chosen in product(*(_choices(each) for each in pieces[1::2])):
        yield "".join(part for pair in zip(pieces[::2], (*chosen, ""), strict=True) for part in pair)


def _choices(inside: str) -> Iterator[str]:
    if (span := _RANGE.fullmatch(inside)) is None:
        yield from inside.split(",")
        return
    first, last = int(span[1]), int(span[2])
    if first > last:
        raise UserError(f"`{{{inside}}}` in `robust_training.pictures` must count upwards, but does not")
    for number in range(first, last + 1):
        yield str(number).zfill(len(span[1]))
