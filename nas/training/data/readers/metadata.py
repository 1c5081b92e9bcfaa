"""Which pictures a folder holds and what they show: `metadata.jsonl` or `metadata.csv` beside the image files.

The convention of the Hugging Face image folder, so that sets made for other trainers can be used as they are: a row has
`file_name`, relative to the folder, and `text` or `caption`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from nas.training.data.readers.listed import PictureList
from search_spaces.files.rows import Problems, read_rows, text_in
from search_spaces.files.user_error import UserError

METADATA: Final = ("metadata.jsonl", "metadata.csv")
TEXT: Final = ("text", "caption")  # the first that a row has


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedPicture:
    """One picture on disk and what it shows.

    Attributes:
        name: Of the image file, relative to the folder.
        caption: What it shows.
        line: Where the metadata names it, counted from 1.
    """

    name: str
    caption: str
    line: int


def metadata_file(folder: Path, /) -> Path:
    """The file that names a folder's pictures.

    Raises:
        UserError: There is none, or more than one.
    """
    found = [folder / name for name in METADATA if (folder / name).is_file()]
    if not found:
        is_taken = folder.is_dir() and any(folder.iterdir())
        raise UserError(
            f'there is no {folder / METADATA[0]}; write one line {{"file_name": "0.png", "text": "a caption"}} per '
            f"picture, or {METADATA[1]} with the columns file_name and text; `python -m search_spaces.shapes "
            f"{folder / 'pictures' if is_taken else folder}` draws pictures for the bundled model there"
        )
    if len(found) > 1:
        raise UserError(f"{folder} must hold one of {' and '.join(METADATA)}, but holds both; move one away")
    return found[0]


def read_metadata(folder: Path, /) -> Iterator[CaptionedPicture]:
    """The pictures of a folder, in the order of its metadata, as they are read.

    Raises:
        UserError: No such folder, no or broken metadata, absent pictures, or some outside of the folder; all problems
            at once, after the last picture.
    """
    path = metadata_file(folder)
    problems, num = Problems(path), 0
    for line, row in read_rows(path, problems=problems):
        wrong = list[str]()
        name = caption = ""
        try:
            name = text_in(row, keys=("file_name",))
        except UserError as error:
            wrong.append(str(error))
        try:
            caption = text_in(row, keys=TEXT)
        except UserError as error:
            wrong.append(str(error))
        if not wrong and (misplaced := check_inside(folder, name)) is not None:
            wrong.append(misplaced)
        for message in wrong:
            problems.add(line, message)
        if not wrong:
            yield CaptionedPicture(name=name, caption=caption, line=line)
            num += 1
    problems.check()
    if not num:
        raise UserError(f"{path} names no picture; write a row per picture into it")


def read_folder(folder: Path, /) -> PictureList:
    """All of them, in few bytes.

    Raises:
        UserError: As `read_metadata`.
    """
    return PictureList.gathered(((each.name, (each.caption,)) for each in read_metadata(folder)), folder=folder)


def check_inside(folder: Path, name: str, /) -> str | None:
    """Why a name is none of a picture in the folder; None where it is one.

    A set's digest is made of the files below its folder, so nothing else may be read: neither what a name leads out to,
    nor what lies behind the link of a folder.
    """
    given = PurePosixPath(name.replace("\\", "/"))
    if given.is_absolute() or ".." in given.parts or Path(name).is_absolute():
        return f"names {_quoted(name)}, which leaves the folder of the metadata; copy the picture into it"
    try:
        if not (folder / name).is_file():
            return f"names {_quoted(name)}, which is no file; names are relative to the folder of the metadata"
        linked = next((part for part in given.parents if (folder / part).is_symlink() and part.name), None)
    except (OSError, ValueError) as error:  # a name that no file system takes
        return f"names {_quoted(name)}, which is no name of a file ({error})"
    if linked is not None:
        return f"names {_quoted(name)}, but {_quoted(str(linked))} is a link; put the folder itself there"
    return None


def _quoted(name: str) -> str:
    return repr(name if len(name) <= 120 else f"{name[:117]}...")
