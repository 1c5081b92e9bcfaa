"""Checkpoints: a round's architecture, the digest of its weights, and what it was made from, in one folder.

    checkpoints/round-003/architecture.json weights.json
    weights/0123456789abcdef.safetensors

`weights.json` names the weights, says whether they stand in `weights/`, and what they were made from (round and job,
digests); it is sealed. Weights that nobody trained are those of the parent, with the copies that the architecture bore:
they are written nowhere. Checkpoints of earlier versions hold the weights themselves, `weights.safetensors`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from safetensors import SafetensorError

from nas.runs.checkpoints.weights import DIGEST, put_aside, read_header
from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.files.digests import digest_of
from search_spaces.files.durable.writing import whole
from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.files.strict_text import TextError, read_text
from search_spaces.files.user_error import UserError

_NAMED: Final = "weights.json"
_HELD: Final = "weights.safetensors"


class CheckpointError(UserError):
    """A sound checkpoint, but of other weights than those that are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a round says of its weights.

    Attributes:
        architecture: What was trained.
        digest: Of the weights.
        origin: What they belong to and were made from, by name; "parent" is the digest of the weights before.
        is_stored: Whether they stand in a file; else they are the parent's, with the copies of the architecture.
        held: The file of the checkpoint's own that holds them; None = the run's, by their digest.
    """

    architecture: Architecture
    digest: str
    origin: Mapping[str, str] = field(default_factory=dict)
    is_stored: bool = True
    held: Path | None = None


def write_checkpoint(folder: Path, checkpoint: Checkpoint, /) -> None:
    """Write a checkpoint, in place of another; the folder appears whole or not at all.

    Raises:
        StorageError: The disk refuses.
    """
    said = {DIGEST: checkpoint.digest, "stored": checkpoint.is_stored, "origin": dict(checkpoint.origin)}
    said["seal"] = _seal(said, checkpoint.architecture)
    with whole(folder, check=lambda place: None) as part:
        part.mkdir()
        (part / "architecture.json").write_text(checkpoint.architecture.to_json() + "\n", encoding="utf-8")
        (part / _NAMED).write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_checkpoint(folder: Path, /, *, origin: Mapping[str, str] = MappingProxyType({})) -> Checkpoint | None:
    """What a checkpoint says; None when there is none.

    Args:
        folder: Where it stands.
        origin: What it must say of its origin, as far as it says anything of it.

    Warns:
        CheckpointWarning: There was one, but it is damaged or of another origin; it was set aside.
    """
    if not folder.is_dir():
        return None
    try:
        found = _read(folder)
    except (ArchitectureError, JsonError, TextError, SafetensorError, OSError) as error:
        put_aside(folder, str(error))
        return None
    wrong = [
        f"{name} is {found.origin[name]}, not {wanted}"
        for name, wanted in origin.items()
        if found.origin.get(name) not in (None, wanted)
    ]
    if wrong:
        put_aside(folder, f"of another origin: {', '.join(wrong)}")
        return None
    return found


def _read(folder: Path) -> Checkpoint:
    architecture = Architecture.from_json(read_text(folder / "architecture.json"))
    if not (folder / _NAMED).is_file():
        header = read_header(folder / _HELD)
        if not isinstance(header.get(DIGEST), str):
            raise JsonError(f"{_HELD} must say the digest of its weights")
        return Checkpoint(architecture=architecture, digest=header[DIGEST], origin=header, held=folder / _HELD)
    said = read_json_object(folder / _NAMED)
    if said.get("seal") != _seal(said, architecture):
        raise JsonError(f"{_NAMED} or the architecture is not what was written")
    return Checkpoint(architecture=architecture, digest=said[DIGEST], origin=said["origin"], is_stored=said["stored"])


def _seal(said: Mapping[str, object], architecture: Architecture) -> str:
    return digest_of({"arch_id": architecture.arch_id, **{name: said[name] for name in said if name != "seal"}})
