"""Which commits a pipeline's repositories of the hub are at: those of its first call, kept beside its stages."""

import json
from pathlib import Path
from typing import Final

from nas.config.pins import as_kept
from nas.pipelines.source import is_hub_reference, pinned_reference
from search_spaces.files.durable.writing import write_text
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.user_error import UserError

PINS: Final = "pins.json"


class Pins:
    """What names without a revision mean in one directory, as a search keeps it in its config.

    Args:
        root: The pipeline's directory.

    Raises:
        UserError: What was kept is not what was written.
    """

    def __init__(self, root: Path, /) -> None:
        self._path = root / PINS
        self._kept = read_json_object(self._path) if self._path.is_file() else {}
        if odd := [name for name, kept in self._kept.items() if not isinstance(kept, str) or not is_pin(name, kept)]:
            raise UserError(
                f"{self._path} must say of repositories of the hub at which commits they are, but says "
                f"{self._kept[odd[0]]!r:.80} of {odd[0]!r:.80}; restore it, or remove it to take the newest ones"
            )

    def commit(self, reference: str, /) -> str:
        """A reference with its commit: the one of the first call, or of the revision that it names.

        Args:
            reference: A model's name or folder; what is not on the hub stays as it is.

        Raises:
            ModelFolderError: The repository cannot be reached and is not in the cache.
            StorageError: The disk refuses.
        """
        if not is_hub_reference(reference):
            return reference
        meant = pinned_reference(as_kept(reference, self._kept.get(reference)), weights=False)
        if "@" not in reference and self._kept.get(reference) != meant:
            self._kept[reference] = meant
            write_text(self._path, json.dumps(self._kept, indent=2) + "\n")
        return meant


def is_pin(name: str, kept: str, /) -> bool:
    """Whether a kept reference is the named repository at a commit."""
    repository, at, commit = kept.partition("@")
    return is_hub_reference(name) and repository == name and bool(at and commit)
