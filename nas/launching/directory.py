"""The directory of one training: what it was told, its state while it goes on, its curve, its pictures, its model.

    training.yaml state.safetensors training.jsonl samples/step-000500.png pictures/ pipeline/ trained.json

The same command on the same directory goes on from the state; when the model stands, there is nothing left to do.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nas.runs.changes import changed_contents, config_diff
from nas.runs.records.lines import Losses
from search_spaces.files.durable.disk import storage_errors
from search_spaces.files.durable.locks import locked
from search_spaces.files.durable.parts import is_part, sweep
from search_spaces.files.durable.writing import write_text
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.strict_yaml import dumped, read_yaml
from search_spaces.files.user_error import UserError

_CONTENTS: Final = "contents"
_SINCE: Final = ("origin", _CONTENTS)  # what earlier versions did not write: then the state alone says it


class TrainingDirectoryError(UserError):
    """A directory that belongs to another training, is in use, or is none of a training."""


@dataclass(frozen=True, slots=True)
class TrainingDirectory:
    """The files of one training below one folder, which must be seen by every process that trains."""

    path: Path

    @property
    def settings(self) -> Path:
        """What it was told, by its first process."""
        return self.path / "training.yaml"

    @property
    def state(self) -> Path:
        """Where it goes on from; gone when it is done."""
        return self.path / "state.safetensors"

    @property
    def curve(self) -> Path:
        """Losses, step by step."""
        return self.path / Losses.file

    @property
    def pipeline(self) -> Path:
        """The model with the weights that it gave: a complete pipeline folder."""
        return self.path / "pipeline"

    @property
    def events(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.path / "tensorboard"

    def sheet(self, step: int, /) -> Path:
        """Sample pictures after so many steps."""
        return self.path / "samples" / f"step-{step:06d}.png"

    @property
    def _report(self) -> Path:
        return self.path / "trained.json"

    def trained(self) -> dict[str, Any] | None:
        """What is said of the model; None while it does not stand."""
        return read_json_object(self._report) if self._report.is_file() else None

    def end(self, report: Mapping[str, Any], /) -> None:
        """Say of the model, which stands, what it is, and let the state go."""
        write_text(self._report, json.dumps(dict(report), indent=2) + "\n")
        self._let_state_go()

    def _let_state_go(self) -> None:
        with storage_errors(self.path):
            self.state.unlink(missing_ok=True)

    @contextmanager
    def opened(self, identity: Mapping[str, Any], /, *, contents: Mapping[str, str]) -> Iterator[None]:
        """Make the directory, or go on in it, for the time of a `with` block; nobody else can meanwhile.

        Args:
            identity: The settings that its weights follow from.
            contents: Digests of what stands at the places that it reads, by the setting that names each.

        Raises:
            TrainingDirectoryError: It is of another training, or of none, or in use; or something that it reads holds
                something else than when it began, even where it is done.
            StorageError: The disk refuses.
        """
        if not self.settings.is_file() and self.path.is_dir() and not all(map(_is_unborn, self.path.iterdir())):
            raise TrainingDirectoryError(
                f"{self.path} is not empty and not the directory of a training; give another --out"
            )
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = locked(self.curve, make=True)
        if lock is None:
            raise TrainingDirectoryError(f"another process is training in {self.path}; wait for it, or stop it")
        try:
            sweep(self.path)
            self._check(identity, contents)
            if self._report.is_file():
                self._let_state_go()  # of an end that was cut short
            yield
        finally:
            lock.release()

    def _check(self, identity: Mapping[str, Any], contents: Mapping[str, str]) -> None:
        """Check that it is of this training, which is written down where it is new."""
        now = {**identity, _CONTENTS: dict(contents)}
        if not self.settings.is_file():
            write_text(self.settings, dumped(now))
            return
        before = read_yaml(self.settings)
        now = {name: value for name, value in now.items() if name in before or name not in _SINCE}
        known = before.get(_CONTENTS)
        if isinstance(known, dict) and (
            changed := changed_contents(known, contents, setting_of={name: name for name in contents})
        ):
            raise TrainingDirectoryError(f"{self.path}: {changed}")
        if before != now:
            raise TrainingDirectoryError(
                f"{self.path} holds another training:\n{config_diff(before, now)}\ngive another --out, or the settings "
                "and the model of that training"
            )


def _is_unborn(path: Path) -> bool:
    """Whether a training that was killed at its birth can have left this."""
    return is_part(path) or (path.name == Losses.file and path.is_file() and not path.stat().st_size)
