"""The run directory: resolved config, environment, trace, scores, checkpoints, pictures; one process at a time.

    config.yaml environment.json trace.jsonl scores/ embedded/ checkpoints/round-003/ weights/ images/ architecture.json

It can be read while the run goes on. The same command on the same directory continues the run. Importing this module
does not import torch, so that asking a run for its status is quick.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nas.runs.changes import config_diff
from nas.runs.environment import environment
from nas.scores.store import ScoreStore
from search_spaces.files.durable.disk import storage_errors
from search_spaces.files.durable.locks import Lock, locked
from search_spaces.files.durable.parts import is_part, sweep
from search_spaces.files.durable.places import settled_file
from search_spaces.files.durable.writing import write_text
from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.files.strict_text import read_text
from search_spaces.files.strict_yaml import dumped, read_yaml
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from nas.runs.checkpoints.rounds import RoundWeights

EMBEDDED: Final = "embedded"  # folder of embedded captions, which may be removed: they are made again
RESULTS: Final = "architectures"  # folder of the results beside the first


class RunDirectoryError(UserError):
    """A run directory that belongs to another search, is in use, is gone, or is none."""


class RunWarning(UserWarning):
    """A damaged file of a run was made again."""


class RunDirectory:
    """The files of one search below one folder."""

    def __init__(self, path: Path, /) -> None:
        self.path = path
        self._lock: Lock | None = None

    @property
    def trace_path(self) -> Path:
        """The trace, `trace.jsonl`."""
        return self.path / "trace.jsonl"

    @property
    def spec_path(self) -> Path:
        """The final spec, `architecture.json`."""
        return self.path / "architecture.json"

    def result_path(self, label: str, /) -> Path:
        """The spec of a result beside the first one, such as `architectures/fast.json`."""
        return self.path / RESULTS / f"{label}.json"

    @property
    def scores(self) -> ScoreStore:
        """The store of all scores, `scores/`; made when there is none, but only in a run.

        Raises:
            RunDirectoryError: There is no run here.
        """
        self._check_is_run()
        return ScoreStore.own(self.path / "scores", before_writing=self.check_stands)

    @property
    def weights(self) -> "RoundWeights":
        """The checkpoints and weights of its rounds; whoever asks imports torch."""
        from nas.runs.checkpoints.rounds import RoundWeights

        return RoundWeights(self.path, before_writing=self.check_stands)

    def read_config(self) -> str:
        """The resolved config of the run.

        Raises:
            RunDirectoryError: There is no run here.
        """
        self._check_is_run()
        return read_text(self.path / "config.yaml")

    def _check_is_run(self) -> None:
        if not self.path.exists():
            raise RunDirectoryError(f"there is no run {self.path}; give the directory that a search was told by --out")
        if self.path.is_file():
            raise RunDirectoryError(
                f"{self.path} is a file, and a run is a directory: give the one that `nas search` made of it"
            )
        if not is_run(self.path):
            raise RunDirectoryError(
                f"{self.path} is not a run directory: it has no config.yaml; give the folder that `nas search` was "
                "given as --out"
            )

    @contextmanager
    def opened(
        self,
        config: Mapping[str, Any],
        /,
        *,
        may_follow: Callable[[Mapping[str, Any]], None] | None = None,
        read: Callable[[Path], dict[str, Any]] = read_yaml,
    ) -> Iterator[list[dict[str, Any]]]:
        """Make the directory, or continue in one, holding its lock.

        A config that differs from the run's own is not written before `keep_config`, when all that the run did by its
        own is known to be so: a run whose config was edited can be mended by taking the edit back.

        Args:
            config: The config to run with.
            may_follow: Raises unless a run of the config that it is given may be continued with `config`; None = a run
                keeps its config.
            read: Reads a stored config so that it can be compared with `config`: a run of an older version may lack
                settings. Configs are compared by value, so that a comment or another order is no change.

        Yields:
            The configs that the run had before this one, oldest first.

        Raises:
            RunDirectoryError: It holds another search, something that is no run, or is being written.
            PlaceError: There can be no directory at its path, or its trace is no file.
            StorageError: It cannot be written to.

        Warns:
            LeftoverWarning: A killed process left half-written files, which were removed.
            RunWarning: `environment.json` was damaged and is made again.
        """
        path = self.path / "config.yaml"
        settled_file(self.trace_path)
        if not path.is_file() and self.path.is_dir() and not all(map(_is_unborn, self.path.iterdir())):
            raise RunDirectoryError(f"{self.path} is not empty and not a run directory; give another --out")
        with self._locked():
            sweep(self.path)
            before = self._configs(read)
            if not before:
                write_text(path, dumped(config))
            elif before[-1] != config:
                if may_follow is None:
                    raise RunDirectoryError(
                        f"{self.path} holds the run of another config:\n{config_diff(before[-1], config)}\n"
                        "give another --out, or the config of that run"
                    )
                may_follow(before[-1])
            self._describe()
            yield [earlier for earlier in before if earlier != config]  # a killed extension leaves its own

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the trace, which nobody deletes by habit as people do with lock files."""
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = locked(self.trace_path, make=True)
        if lock is None:
            raise RunDirectoryError(f"another process is running a search in {self.path}; wait for it or stop it")
        self._lock = lock
        try:
            yield
        finally:
            self._lock = None
            lock.release()

    def check_stands(self) -> None:
        """Check, before anything is written, that the run that this process opened still stands here.

        Raises:
            RunDirectoryError: It was moved, deleted or replaced; nothing more must be written to its old place.
        """
        if self._lock is not None and not self._lock.stands():
            raise RunDirectoryError(
                f"{self.path} must stay where it is while a search writes to it, but its trace.jsonl was moved, "
                "deleted or replaced: the search stops here; give the same command the place where it is now, and it "
                "continues"
            )

    def _configs(self, read: Callable[[Path], dict[str, Any]]) -> list[dict[str, Any]]:
        """The configs that the run had so far, oldest first; none before its birth."""
        path = self.path / "config.yaml"
        if not path.is_file():
            return []
        configs = [read(each) for each in (*self._earlier(), path)]
        return [
            each for each, then in zip(configs, (*configs[1:], None), strict=True) if each != then
        ]  # `keep_config` may be killed between its two files

    def keep_config(self, config: Mapping[str, Any], /, *, read: Callable[[Path], dict[str, Any]] = read_yaml) -> None:
        """Let a config be the run's, as it goes on with it; the one that it had is kept in `earlier/`.

        Args:
            config: The config that the run was opened with.
            read: As in `opened`.
        """
        self.check_stands()
        path, earlier = self.path / "config.yaml", self._earlier()
        if (old := read(path)) == config:
            return
        if old not in map(read, earlier):  # else it was there before, or is kept by a process that was then killed
            write_text(self.path / "earlier" / f"config-{len(earlier):03d}.yaml", dumped(read_yaml(path)))
        write_text(path, dumped(config))

    def _earlier(self) -> list[Path]:
        return sorted((self.path / "earlier").glob("config-*.yaml"))

    def _describe(self) -> None:
        """Say what the run began on, in `environment.json`."""
        path = self.path / "environment.json"
        if path.is_file():
            try:
                read_json_object(path)
            except JsonError as error:
                warnings.warn(f"{error}: made again, as this process is", RunWarning, stacklevel=4)
            else:
                return
        write_text(path, json.dumps(environment(), indent=2) + "\n")


def is_run(path: Path, /) -> bool:
    """Whether a path is a run directory, finished or not."""
    return (path / "config.yaml").is_file()


def run_of_result(path: Path, /) -> Path | None:
    """The run whose result beside the first one a path is, such as `RUN/architectures/12.345ms.json`; else None."""
    folder = path.parent.parent
    return folder if path.parent.name == RESULTS and is_run(folder) else None


def _is_unborn(path: Path) -> bool:
    """Whether a run that was killed at its birth can have left this."""
    if path.name == "trace.jsonl":
        return path.is_file() and path.stat().st_size == 0
    return path.name == ".lock" or is_part(path)  # versions up to 0.1 locked a file of this name
