"""PictureList: pictures that are files of their own; names and captions are columns, a tenth of a GB for a million."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Self

import pyarrow as pa

from nas.training.data.readers.example import Example, Read
from search_spaces.files.digests import folder_digest, sha256_of

_CHUNK: Final = 4096  # rows that stand as Python's own objects meanwhile


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureList:
    """Image files in a folder and what they show; each is a part of its own.

    Attributes:
        folder: Where names begin.
        names: Of the files.
        captions: Of each picture one or more.
        is_folder: Whether the set is the folder with all that is in it, which its digest then covers.
    """

    folder: Path
    names: pa.Array
    captions: pa.Array
    is_folder: bool

    @classmethod
    def gathered(cls, rows: Iterable[tuple[str, tuple[str, ...]]], /, *, folder: Path, is_folder: bool = True) -> Self:
        """The list of (name, captions), which are taken one after the other."""
        names, captions, rest = list[pa.Array](), list[pa.Array](), iter(rows)
        while chunk := list(islice(rest, _CHUNK)):
            names.append(pa.array([name for name, _ in chunk], pa.large_string()))
            captions.append(pa.array([texts for _, texts in chunk], pa.large_list(pa.large_string())))
        gathered = cls(
            folder=folder,
            names=pa.chunked_array(names, pa.large_string()).combine_chunks(),
            captions=pa.chunked_array(captions, pa.large_list(pa.large_string())).combine_chunks(),
            is_folder=is_folder,
        )
        del names, captions
        pa.default_memory_pool().release_unused()  # the chunks, which it would keep for later
        return gathered

    @property
    def num_parts(self) -> int:
        """As many as pictures."""
        return len(self.names)

    @property
    def num_pictures(self) -> int:
        """Rows of the metadata."""
        return len(self.names)

    @property
    def digest(self) -> str:
        """Of names, captions and files."""
        if self.is_folder:
            return folder_digest(self.folder)
        digest = hashlib.sha256()
        for part in range(self.num_parts):
            example = self._example(part)
            content = sha256_of(self.folder / example.name)
            digest.update("\0".join((example.name, *example.captions, content, "")).encode())
        return digest.hexdigest()[:16]

    def read(self, part: int, /, *, start: int = 0) -> Iterator[Read]:
        """The picture, unless it was read before."""
        if start == 0:
            yield 1, self._example(part)

    def _example(self, part: int) -> Example:
        name = self.names[part].as_py()
        return Example(name=name, captions=tuple(self.captions[part].as_py()), picture=self.folder / name)
