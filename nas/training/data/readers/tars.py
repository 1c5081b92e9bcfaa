"""WebDataset tars: a sample is the members of one name before the first dot, such as 0001.jpg and 0001.txt.

Members are found by their headers and read where they stand, so that a tar of any size takes no memory, and reading
goes on at any sample without reading what came before.
"""

import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from nas.training.data.picture_files import FilePart
from nas.training.data.readers.example import Damaged, Example, Read
from nas.training.data.readers.metadata import TEXT
from search_spaces.files.digests import files_sequence_digest
from search_spaces.files.rows import text_in
from search_spaces.files.strict_json import parse_json
from search_spaces.files.strict_text import decoded
from search_spaces.files.user_error import UserError

PICTURES: Final = ("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff")
CAPTIONS: Final = ("txt", "text", "caption", "cap")
_MAX_TEXT_BYTES: Final = 2**20
_BLOCK_BYTES: Final = 512  # of which a tar is made


@dataclass(frozen=True, slots=True, kw_only=True)
class TarPictures:
    """Tars of captioned pictures.

    Attributes:
        files: The tars, each a part.
    """

    files: tuple[Path, ...]

    def __post_init__(self) -> None:
        for path in self.files:
            if not tarfile.is_tarfile(path):
                raise UserError(f"{path} must be a tar that is not compressed, but is none; unpack it, or make it anew")

    @property
    def num_parts(self) -> int:
        """As many as files."""
        return len(self.files)

    @property
    def num_pictures(self) -> None:
        """Nobody has counted them."""
        return

    @property
    def digest(self) -> str:
        """Of the files' content, in their order."""
        return files_sequence_digest(self.files)

    def read(self, part: int, /, *, start: int = 0) -> Iterator[Read]:
        """The samples of a tar, and where it ends early."""
        path, key = self.files[part], ""
        members, end = dict[str, FilePart](), start
        with path.open("rb") as file:
            try:
                for member in _members(file, start=start):
                    stem, _, suffix = Path(member.name).name.partition(".")
                    name = str(Path(member.name).with_name(stem))
                    if name != key and members:
                        yield member.offset, _sample(path, key, members)
                        members = {}
                    key = name
                    members.setdefault(suffix.lower(), FilePart(path, member.offset_data, member.size))
                    end = member.offset_data + -(-member.size // _BLOCK_BYTES) * _BLOCK_BYTES
            except tarfile.TarError as error:
                place = f"at the sample {key}" if key else "before its first sample"
                size = os.fstat(file.fileno()).st_size
                yield size, Damaged(name=path.name, reason=f"must be a whole tar, but breaks off {place} ({error})")
                return
        if members:
            yield end, _sample(path, key, members)


def _members(file: BinaryIO, *, start: int) -> Iterator[tarfile.TarInfo]:
    """Files in a tar from an offset on.

    Raises:
        TarError: It ends before its end, which `tarfile` itself does not say.
    """
    size = os.fstat(file.fileno()).st_size
    if start >= size:
        return
    file.seek(start)
    if not any(file.read(_BLOCK_BYTES)):  # nothing but the end is left
        return
    file.seek(start)
    with tarfile.open(fileobj=file, mode="r:") as tar:
        kept: list[tarfile.TarInfo] = tar.members  # type: ignore[attr-defined]  # would grow with every one
        while (member := tar.next()) is not None:
            kept.clear()
            if member.isfile() and member.size:
                yield member
        file.seek(tar.offset)
        if file.read(_BLOCK_BYTES) != bytes(_BLOCK_BYTES):
            raise tarfile.ReadError("no end is marked")


def _sample(path: Path, key: str, members: Mapping[str, FilePart]) -> Example | Damaged:
    name = f"{path.name}: {key}"
    picture = next((members[suffix] for suffix in PICTURES if suffix in members), None)
    if picture is None:
        return Damaged(
            name=name, reason=f"must have a picture ({', '.join(PICTURES[:3])}, ...), but has {_has(members)}"
        )
    try:
        return Example(name=name, captions=_captions(members), picture=picture)
    except (UserError, OSError) as error:
        return Damaged(name=name, reason=str(error))


def _captions(members: Mapping[str, FilePart]) -> tuple[str, ...]:
    suffix = next((each for each in (*CAPTIONS, "json") if each in members), None)
    if suffix is None:
        raise UserError(f"must have a caption (.txt, or .json with `caption` or `text`), but has {_has(members)}")
    member = members[suffix]
    if member.num_bytes > _MAX_TEXT_BYTES:
        raise UserError(f"must have a caption of at most {_MAX_TEXT_BYTES:,} bytes, but has {member.num_bytes:,}")
    text = decoded(member.read())
    row = parse_json(text) if suffix == "json" else {"caption": text.strip()}
    if not isinstance(row, dict):
        raise UserError(f"must have a JSON object as .json, but has a {type(row).__name__}")
    return (text_in(row, keys=(*reversed(TEXT),)),)


def _has(members: Mapping[str, FilePart]) -> str:
    return ", ".join(f".{suffix}" for suffix in members)
