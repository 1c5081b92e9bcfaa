"""Digests of values and of files: what a result depends on, named by its content."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from search_spaces.files.strict_text import check_regular


def digest_of(values: Mapping[str, Any], /) -> str:
    """Short digest of plain values by their canonical JSON."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def folder_digest(folder: Path, /) -> str:
    """Digest of all files in a folder, by relative name and content; linked folders are left out."""
    digest = hashlib.sha256()
    for name in _files_in(folder):
        digest.update(name.encode() + b"\0" + _content_of(folder / name))
    return digest.hexdigest()[:16]


def _files_in(folder: Path, above: str = "") -> Iterator[str]:
    """Relative names of all files, sorted part by part as paths are; the names of one folder are held at a time."""
    with os.scandir(folder / above) as entries:
        kinds = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    for name in sorted(kinds):
        below = f"{above}/{name}" if above else name
        if kinds[name]:
            yield from _files_in(folder, below)
        elif (folder / below).is_file():
            yield below


def files_digest(files: Iterable[Path], /, *, folder: Path, known: dict[Path, bytes] | None = None) -> str:
    """Digest of some files in a folder, by relative name and content: `folder_digest` where they are all.

    Args:
        files: In the folder or below.
        folder: What their names are relative to.
        known: Digests of files' content that are not made again; gets those that are made.
    """
    digest, known = hashlib.sha256(), {} if known is None else known
    for path in sorted(files):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        if path not in known:
            known[path] = _content_of(path)
        digest.update(known[path])
    return digest.hexdigest()[:16]


def _content_of(path: Path) -> bytes:
    check_regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def files_sequence_digest(files: Iterable[Path], /, *, settings: Iterable[Any] = ()) -> str:
    """Digest of what files hold one after the other, wherever they stand and whatever they are called.

    Args:
        files: In their order.
        settings: Plain values that say how they are read.
    """
    return digest_of({"files": [sha256_of(path) for path in files], "settings": list(settings)})


def sha256_of(path: Path, /) -> str:
    """SHA-256 of a file's content; of a folder (Core ML packages are folders), of its files' names and digests.

    Raises:
        TextError: It is a device, a pipe or a socket.
        OSError: It cannot be opened.
    """
    if path.is_dir():
        inside = sorted((p.relative_to(path).as_posix(), p) for p in path.rglob("*") if p.is_file())
        lines = "".join(f"{sha256_of(file)}  {name}\n" for name, file in inside)
        return hashlib.sha256(lines.encode()).hexdigest()
    check_regular(path)
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
