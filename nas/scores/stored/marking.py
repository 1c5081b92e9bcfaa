"""The mark of a store, `store.json`: that a folder is one, and of which schema.

Schema 1, of 0.1.0, had a file per chunk; they are read for ever. What is written now is schema 2: the mark becomes that
when the first scores are kept, so that 0.1.0 refuses what it would overlook.
"""

import json
from pathlib import Path
from typing import Any, Final

from nas.scores.stored.keys import ScoreStoreError
from search_spaces.files.durable.parts import is_part
from search_spaces.files.durable.writing import whole_once, write_text
from search_spaces.files.strict_json import JsonError, parse_json

SCHEMA_VERSION: Final = 2
NAME: Final = "store.json"
_FORMER: Final = {"schema_version": 1}
_MARK: Final = {"schema_version": SCHEMA_VERSION}


def check_schema(folder: Path, /) -> None:
    """Mark an empty folder as a store, or check the mark of one.

    Raises:
        ScoreStoreError: It holds something else, or a store of another schema.
        StorageError: It cannot be written to.
    """
    marker = folder / NAME
    strangers = sorted(path.name for path in folder.glob("[!.]*") if not is_part(path) and path != marker)
    if not marker.is_file():  # looked for after the listing: another process makes it before any other file
        if strangers:
            raise ScoreStoreError(
                f"{folder} must be a score store or empty, but holds {strangers[0]!r} and no {NAME}; "
                "give another folder, or move what is in it away"
            )
        with whole_once(marker) as part:
            part.write_text(json.dumps(_MARK) + "\n", encoding="utf-8")
    if mark_of(folder) not in (_MARK, _FORMER):
        text = marker.read_text(encoding="utf-8", errors="replace")
        raise ScoreStoreError(
            f"a score store must have schema_version {SCHEMA_VERSION}, but {marker} holds {text.strip()[:80]!r}; "
            "give another folder, read this one with the version of snapfusion-nas that wrote it, or, where only this "
            f"file is damaged, write {json.dumps(_MARK)} to it"
        )


def bring_up_to_date(folder: Path, /) -> None:
    """Let a store of the former schema be one of this, before the first scores are written in its form.

    Raises:
        StorageError: The disk refuses.
    """
    if mark_of(folder) == _FORMER:
        mark(folder)


def mark(folder: Path, /) -> None:
    """Write the mark of this schema.

    Raises:
        StorageError: The disk refuses.
    """
    write_text(folder / NAME, json.dumps(_MARK) + "\n")


def mark_of(folder: Path, /) -> dict[str, Any] | None:
    """What a store's mark says; None where there is none, or none that can be read."""
    try:
        found = parse_json((folder / NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, JsonError):
        return None
    return found if isinstance(found, dict) else None
