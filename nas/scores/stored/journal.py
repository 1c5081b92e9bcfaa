"""The journal of one set of weights: every chunk's scores as a line, by whichever process, in the order they came.

    {"arch_id": ..., "protocol_digest": ..., "prompts_digest": ..., "made_by": ..., "clip": [0.31, ...], "seal": ...}
    {"prompts_digest": ..., "prompts": [[caption, noise_seed], ...], "seal": ...}

A line is sealed by a digest of its own text and of the weights' name, so that damage costs that line, and is told. Of
two lines with one key the first counts, whatever process wrote it: who appends holds the file and reads what others
added first. Lines outlive their process at once; the disk is waited for once a second, and whenever `settle` says so.
"""

import hashlib
import json
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nas.scores.prompts import Prompt
from nas.scores.stored.keys import ScoreKey, ScoreStoreError
from search_spaces.files.durable.disk import storage_errors, sync
from search_spaces.files.json_lines import append_lines, held
from search_spaces.files.strict_text import check_regular

NAME: Final = "scores.jsonl"
_KEY: Final = ("arch_id", "protocol_digest", "prompts_digest", "made_by")
_SEAL, _PROMPTS = "seal", "prompts"
_SEAL_LENGTH: Final = len(f', "{_SEAL}": "{"0" * 16}"}}')
_MANY: Final = 10  # lines that a message names
_SYNC_EVERY_S: Final = 1.0  # what a power cut may take of a scoring that goes on


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Scores of a chunk, and the name of their score."""

    score: str
    numbers: "array[float]"


class Journal:
    """Scores that were made with one set of weights.

    Args:
        folder: Of the weights, by whose digest it is named.
        on_damaged: Called with what is wrong, once for all lines that are read together.
    """

    def __init__(self, folder: Path, /, *, on_damaged: Callable[[str], None]) -> None:
        self.path = folder / NAME
        self._weights, self._on_damaged = folder.name, on_damaged
        self._entries: dict[tuple[str, ...], Entry] = {}
        self._prompts: dict[str, tuple[Prompt, ...]] = {}
        self._read_to = self._num_lines = 0
        self._file_id: int | None = None
        self._unsynced_since: float | None = None

    def get(self, key: ScoreKey, /) -> Entry | None:
        """What stands under a key; None when nothing does."""
        found = self._entries.get(_short(key))
        if found is None and self.refresh():
            found = self._entries.get(_short(key))
        return found

    def entries(self) -> Iterator[tuple[ScoreKey, Entry]]:
        """All that stands here, in the order in which it came."""
        self.refresh()
        for short, entry in self._entries.items():
            yield ScoreKey(weights_digest=self._weights, **dict(zip(_KEY, short, strict=True))), entry

    def prompts(self, digest: str, /) -> tuple[Prompt, ...] | None:
        """The prompts of a chunk; None where their line was damaged."""
        return self._prompts.get(digest)

    def put(self, key: ScoreKey, /, *, prompts: Sequence[Prompt], score: str, numbers: Sequence[float]) -> Entry:
        """Append scores unless there are some under their key.

        Returns:
            What stands under the key.

        Raises:
            ScoreStoreError: A disk that does not give back what it took.
            StorageError: The disk refuses; nothing was changed.
        """
        with storage_errors(self.path):
            is_new = not self.path.parent.is_dir()
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with held(self.path):
            self.refresh()
            if (known := self._entries.get(_short(key))) is not None:
                return known
            lines: list[dict[str, Any]] = []
            if key.prompts_digest not in self._prompts:
                texts = [[prompt.caption, prompt.noise_seed] for prompt in prompts]
                lines.append({"prompts_digest": key.prompts_digest, _PROMPTS: texts})
            lines.append(dict(zip(_KEY, _short(key), strict=True)) | {score: list(numbers)})
            append_lines(self.path, [self._sealed(line) for line in lines], synced=False)
            self.refresh()
        if is_new:
            sync(self.path.parent.parent)
        now = time.monotonic()
        if self._unsynced_since is None:
            self._unsynced_since = now
        elif now - self._unsynced_since > _SYNC_EVERY_S:
            self.settle()
        if (entry := self._entries.get(_short(key))) is None:
            raise ScoreStoreError(f"{self.path} must read as it was written, but does not; check the disk")
        return entry

    def settle(self) -> None:
        """Bring to the disk what this process has put here; nothing to do where it is there.

        Raises:
            StorageError: The disk refuses.
        """
        if self._unsynced_since is not None:
            with storage_errors(self.path):
                sync(self.path)
                sync(self.path.parent)
            self._unsynced_since = None

    def refresh(self) -> bool:
        """Read the lines that came since; whether there were any."""
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        if found.st_ino != self._file_id or found.st_size < self._read_to:  # another file is there now
            self._entries, self._prompts = {}, {}
            self._read_to = self._num_lines = 0
            self._file_id = found.st_ino
        if found.st_size == self._read_to:
            return False
        check_regular(self.path)
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            *lines, torn = file.read().split(b"\n")
            self._read_to = file.tell() - len(torn)
        damaged = []
        for line in lines:
            self._num_lines += 1
            if (document := self._unsealed(line)) is None:
                damaged.append(self._num_lines)
            else:
                self._take(document)
        if damaged:
            which = ", ".join(map(str, damaged[:_MANY])) + (
                f" and {len(damaged) - _MANY} more" if damaged[_MANY:] else ""
            )
            be = "lines {} of {} are" if len(damaged) > 1 else "line {} of {} is"
            self._on_damaged(be.format(which, self.path) + " damaged (not what was written)")
        return bool(lines)

    def _take(self, document: dict[str, Any]) -> None:
        """Remember what a line holds."""
        if _PROMPTS in document:
            prompts = tuple(Prompt(caption=caption, noise_seed=seed) for caption, seed in document[_PROMPTS])
            self._prompts.setdefault(document["prompts_digest"], prompts)
            return
        short = tuple(document.pop(name) for name in _KEY)
        ((score, numbers),) = document.items()
        self._entries.setdefault(short, Entry(score, array("d", numbers)))

    def _sealed(self, document: dict[str, Any]) -> dict[str, Any]:
        return document | {_SEAL: self._digest(json.dumps(document).encode()[:-1])}

    def _unsealed(self, line: bytes) -> dict[str, Any] | None:
        """What a line holds; None where it is not what was written here."""
        text = line[:-_SEAL_LENGTH]
        if line[-_SEAL_LENGTH:] != f', "{_SEAL}": "{self._digest(text)}"}}'.encode():
            return None
        document: dict[str, Any] = json.loads(text + b"}")  # ours, letter by letter
        return document

    def _digest(self, text: bytes) -> str:
        return hashlib.sha256(self._weights.encode() + b"\n" + text).hexdigest()[:16]


def _short(key: ScoreKey) -> tuple[str, ...]:
    return (key.arch_id, key.protocol_digest, key.prompts_digest, key.made_by)
