"""MS-COCO's caption JSON: `images` with ids and file names, `annotations` with captions of image ids."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nas.training.data.readers.listed import PictureList
from nas.training.data.readers.metadata import check_inside
from search_spaces.files.paths import no_such_file
from search_spaces.files.rows import MAX_SHOWN, RowsError, text_in
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.user_error import UserError

_PREFIX: Final = "captions_"  # captions_train2017.json stands beside the folder of train2017


def read_coco(path: Path, /, *, images: Path | None = None) -> PictureList:
    """The pictures of a caption file that have captions, in its order; each has all of its captions.

    Args:
        path: The JSON.
        images: Folder of the pictures; None = as COCO lays them out (`annotations/captions_X.json` and `X/`), or the
            folder of the JSON.

    Raises:
        UserError: No such file, another JSON, no captions, or absent pictures; all problems at once.
    """
    if not path.is_file():
        raise UserError(no_such_file(path, what="caption JSON", remedy="give MS-COCO's"))
    document = read_json_object(path)
    folder = images or _usual_folder(path)
    if not folder.is_dir():
        raise UserError(f"`data.images` must be the folder of the pictures, but {folder} is none; give another")
    problems, captions = list[str](), dict[Any, list[str]]()
    entries = {name: _list_of(document, name, path) for name in ("images", "annotations")}
    for index, entry in enumerate(entries["annotations"]):
        try:
            captions.setdefault(_id_of(entry, "image_id"), []).append(text_in(entry, keys=("caption",)).strip())
        except UserError as error:
            problems.append(f"annotations[{index}] {error}")
    rows = list(_rows(entries["images"], captions, folder, problems))
    problems += [f"annotations tell of image_id {each!r}, which no image has" for each in captions]
    if problems:
        told = [f"  {problem}" for problem in problems[:MAX_SHOWN]]
        if len(problems) > MAX_SHOWN:
            told.append(f"  and {len(problems) - MAX_SHOWN} more")
        raise RowsError("\n".join([f"{path} has {len(problems)} problem{'s'[: len(problems) > 1]}:", *told]))
    if not rows:
        raise UserError(f"{path} holds no caption of an image; give one of MS-COCO's captions_*.json")
    return PictureList.gathered(rows, folder=folder, is_folder=False)


def _usual_folder(path: Path) -> Path:
    if path.stem.startswith(_PREFIX):
        beside = path.parent.parent / path.stem.removeprefix(_PREFIX)
        if beside.is_dir():
            return beside
    return path.parent


def _rows(
    images: Sequence[Any], captions: dict[Any, list[str]], folder: Path, problems: list[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names and captions of the images that have some; what was told of is taken out of `captions`."""
    for index, image in enumerate(images):
        try:
            texts = captions.pop(_id_of(image, "id"), None)
            name = text_in(image, keys=("file_name",))
        except UserError as error:
            problems.append(f"images[{index}] {error}")
            continue
        if texts is None:
            continue
        if (misplaced := check_inside(folder, name)) is not None:
            problems.append(f"images[{index}] {misplaced}")
        else:
            yield name, tuple(texts)


def _list_of(document: Mapping[str, Any], name: str, path: Path) -> Sequence[Any]:
    found = document.get(name)
    if not isinstance(found, list):
        raise UserError(
            f"{path} must hold lists `images` and `annotations`, as MS-COCO's captions_*.json do, but has no list "
            f"`{name}`"
        )
    return found


def _id_of(entry: Any, key: str) -> int | str:
    if not isinstance(entry, dict):
        raise UserError(f"must be an object, but is a {type(entry).__name__}")
    found = entry.get(key)
    if not isinstance(found, int | str) or isinstance(found, bool):
        raise UserError(f"must have a number or a text as `{key}`, but has none")
    return found
