"""What a stage gave, and the receipt that it leaves: by content, so that an unchanged stage is never done twice."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nas.pipelines.index import INDEX
from nas.pipelines.model_folder import ModelFolder
from nas.training.data.readers.opening import files_meant, open_pictures
from nas.training.data.settings import DataSettings
from search_spaces.files.digests import digest_of, files_sequence_digest, folder_digest, sha256_of
from search_spaces.files.durable.writing import write_text
from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.files.user_error import UserError
from search_spaces.folders.weight_files import ModelFolderError

RECEIPT: Final = "receipt.json"
_RESULT_FREE: Final = ("workers", "score_store", "picture_cache", "save_every", "sample_every", "num_workers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a stage gave.

    Attributes:
        directory: All that it wrote.
        folder: Of the model that it gave; of an evaluation the directory itself.
        digest: Of that model, or of the evaluation's numbers.
        num_steps: Steps that its UNet was distilled to; None = not at all.
        seconds: What it took.
        is_new: Whether it was done now.
    """

    directory: Path
    folder: Path
    digest: str
    num_steps: int | None
    seconds: float
    is_new: bool


def identity(kind: str, values: Mapping[str, Any], /, *, known: Mapping[str, str]) -> dict[str, Any]:
    """What a stage's result follows from: its settings, with the content of whatever they name in place of paths.

    Args:
        kind: What it does.
        values: Its settings as plain values; paths are absolute.
        known: Digests of what earlier stages gave, by path.
    """
    return {"kind": kind, "settings": _by_content(values, known)}


def _by_content(value: Any, known: Mapping[str, str]) -> Any:
    match value:
        case Mapping():
            return {
                name: _of_setting(name, part, section=value, known=known)
                for name, part in value.items()
                if name not in _RESULT_FREE
            }
        case list() | tuple():
            return [_by_content(part, known) for part in value]
        case str() if value in known:
            return known[value]
        case str() if Path(value).is_absolute() and Path(value).exists():
            return content_of(Path(value))
        case str() if Path(value).is_absolute() and (files := files_meant(Path(value))):
            return files_sequence_digest(files)
        case _:
            return value


def _of_setting(name: str, value: Any, *, section: Mapping[str, Any], known: Mapping[str, str]) -> Any:
    """The content of a setting, some of which means more than the file that it names."""
    path = Path(value) if isinstance(value, str) and value not in known and Path(value).is_absolute() else None
    match name:
        case "settings" if isinstance(value, Mapping):  # a plugin's: of these nobody knows what is free
            return {each: _by_content(part, known) for each, part in value.items()}
        case "model" if path is not None and (path / INDEX).is_file():
            return ModelFolder(path, variant=section.get("model_variant")).digest()
        case "pictures" if path is not None and path.suffix.lower() == ".json" and path.is_file():
            images = section.get("images") or (section.get("data") or {}).get("images")
            return open_pictures(path, settings=DataSettings(images=Path(images) if images else None)).digest
        case "images":  # of a COCO JSON: the digest of `pictures` has them, and names them by content
            return None
        case _:
            return _by_content(value, known)


def content_of(path: Path, /) -> str:
    """Digest of a model's folder, by all that loading it reads; of another folder, or of a file."""
    if (path / INDEX).is_file():
        with suppress(ModelFolderError):  # weights of other variants alone: which are meant is not known here
            return ModelFolder(path).digest()
    return folder_digest(path) if path.is_dir() else sha256_of(path)


def directory_of(root: Path, name: str, /, *, what: Mapping[str, Any]) -> Path:
    """Where a stage works: a directory per identity, so that other settings never meet what was done before."""
    return root / name / digest_of(what)


def read_receipt(directory: Path, /) -> Outcome | None:
    """What a stage gave before; None where it is not done, or what it gave is not there any more.

    Raises:
        UserError: The model that it gave was changed since; doing the stage again would only find it.
    """
    try:
        match read_json_object(directory / RECEIPT):
            case {
                "folder": str(name),
                "digest": str(said),
                "num_steps": int() | None as steps,
                "seconds": int() | float() as seconds,
            }:
                folder = (directory / name).resolve()
                if not folder.is_relative_to(directory.resolve()):
                    return None
                changed = result_digest(folder) != said
                if changed and not (folder / INDEX).is_file():
                    return None
                found = Outcome(
                    directory=directory,
                    folder=folder,
                    digest=said,
                    num_steps=steps,
                    seconds=float(seconds),
                    is_new=False,
                )
            case _:
                return None
    except (OSError, JsonError, TypeError, ValueError):
        return None
    if changed:
        raise UserError(
            f"{found.folder} must be what its stage gave, but was changed since: restore it, or remove {directory}, so "
            "that the stage is done again"
        )
    return found


def write_receipt(
    directory: Path, /, *, folder: Path, num_steps: int | None, what: Mapping[str, Any], began: float
) -> Outcome:
    """Leave a receipt."""
    before = _seconds_before(directory)
    seconds = round(time.time() - began + before, 3)
    outcome = Outcome(
        directory=directory,
        folder=folder.resolve(),
        digest=result_digest(folder),
        num_steps=num_steps,
        seconds=seconds,
        is_new=True,
    )
    said = {
        "folder": str(folder.resolve().relative_to(directory.resolve())),
        "digest": outcome.digest,
        "num_steps": num_steps,
        "seconds": seconds,
        "follows_from": what,
    }
    write_text(directory / RECEIPT, json.dumps(said, indent=2, default=str) + "\n")
    return outcome


def result_digest(folder: Path, /) -> str:
    """Digest of what a stage gave: a model's folder, or the numbers of an evaluation."""
    numbers = folder / "curves.json"
    return sha256_of(numbers) if numbers.is_file() else content_of(folder)


def keep_seconds(directory: Path, began: float, /) -> None:
    """Remember what a try took that did not come to its end."""
    if directory.is_dir():
        seconds = _seconds_before(directory) + time.time() - began
        write_text(directory / _SPENT, json.dumps({"seconds": seconds}) + "\n")


_SPENT: Final = "spent.json"


def _seconds_before(directory: Path) -> float:
    try:
        return float(read_json_object(directory / _SPENT)["seconds"])
    except (OSError, JsonError, KeyError, TypeError, ValueError):
        return 0.0
