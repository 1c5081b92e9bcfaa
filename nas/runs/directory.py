"""The run directory: resolved config, environment, trace, scores, checkpoints, pictures; one process at a time.

    config.yaml environment.json trace.jsonl scores/ checkpoints/round-003/ weights/ images/ architecture.json

It can be read while the run goes on. The same command on the same directory continues the run. Importing this module
does not import torch, so that asking a run for its status is quick.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from nas.runs.changes import config_diff
from nas.runs.environment import environment
from nas.scores.store import ScoreStore
from search_spaces.architecture import Architecture
from search_spaces.files.durable.locks import Lock, locked
from search_spaces.files.durable.writing import is_part, settled_file, storage_errors, sweep, write_text
from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.files.strict_text import read_text
from search_spaces.files.strict_yaml import dumped, read_yaml
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    import torch

    from nas.runs.checkpoint import Checkpoint

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
                self._check_follows(before[-1], config, may_follow)
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

    def _check_follows(
        self, old: Mapping[str, Any], config: Mapping[str, Any], may_follow: Callable[[Mapping[str, Any]], None] | None
    ) -> None:
        if may_follow is None:
            raise RunDirectoryError(
                f"{self.path} holds the run of another config:\n{config_diff(old, config)}\n"
                "give another --out, or the config of that run"
            )
        may_follow(old)

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

    def write_checkpoint(
        self,
        round_number: int,
        /,
        *,
        architecture: Architecture,
        weights: Mapping[str, "torch.Tensor"] | None,
        digest: str | None = None,
        job: int = 0,
        made_from: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write a round's architecture and, unless they stand there already, its weights: first these, by content.

        Args:
            round_number: The round.
            architecture: What was trained.
            weights: Of the supernet; None where nothing was trained, so that they are those of `made_from["parent"]`,
                with the copies that the architecture bore.
            digest: Of the weights; None = made here.
            job: Index of the training among those of its round.
            made_from: Digests of what they were trained from, by name; whoever reads them can ask for the same.

        Raises:
            RunDirectoryError: The run was moved or deleted meanwhile.
            StorageError: The disk refuses.
        """
        from nas.runs.checkpoint import Checkpoint, write_checkpoint
        from nas.runs.weights import weights_digest, write_weights

        self.check_stands()
        if weights is not None:
            digest = weights_digest(weights) if digest is None else digest
            if not (path := self.weights_path(digest)).exists():
                write_weights(path, weights, digest=digest)
        assert digest is not None, "weights that are written nowhere are known by their digest"
        write_checkpoint(
            self._checkpoint(round_number, job),
            Checkpoint(
                architecture=architecture,
                digest=digest,
                origin={**made_from, **_place_of(round_number, job)},
                is_stored=weights is not None,
            ),
        )

    def checkpoint(
        self, round_number: int, /, *, job: int = 0, made_from: Mapping[str, str] = MappingProxyType({})
    ) -> "Checkpoint | None":
        """What a round says of its weights; None while its training is not done.

        Args:
            round_number: The round.
            job: Index of the training among those of its round.
            made_from: Digests of what they must have been trained from, as far as the checkpoint says it.

        Warns:
            CheckpointWarning: There is a checkpoint, but it is damaged, or of another round or origin; it was set
                aside and the round counts as not trained.
        """
        from nas.runs.checkpoint import read_checkpoint

        origin = {**made_from, **_place_of(round_number, job)}
        return read_checkpoint(self._checkpoint(round_number, job), origin=origin)

    def read_weights(
        self,
        round_number: int,
        /,
        *,
        job: int = 0,
        digest: str | None = None,
        made_from: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, "torch.Tensor"] | None:
        """The weights of a round, where they are stored; None while its training is not done, or there was none.

        Args:
            round_number: The round.
            job: Index of the training among those of its round.
            digest: Which weights they must be; None = whatever the training gave.
            made_from: As in `checkpoint`.

        Raises:
            CheckpointError: They are sound, but others than `digest`.

        Warns:
            CheckpointWarning: As `checkpoint`, or the weights are damaged; they were set aside.
        """
        from nas.runs.checkpoint import CheckpointError
        from nas.runs.weights import read_weights

        found = self.checkpoint(round_number, job=job, made_from=made_from)
        if found is None:
            return None
        if digest is not None and found.digest != digest:
            raise CheckpointError(
                f"{self._checkpoint(round_number, job)} must hold the weights {digest}, but holds {found.digest}; "
                "restore them, or delete the folder and run the search's own command, which trains them again"
            )
        return read_weights(found.held or self.weights_path(found.digest), digest=found.digest)

    def stored_weights(self, digest: str, /) -> dict[str, "torch.Tensor"] | None:
        """The weights of a digest, by content; None where none stand.

        Warns:
            CheckpointWarning: They are damaged; they were set aside.
        """
        from nas.runs.weights import read_weights

        return read_weights(self.weights_path(digest), digest=digest)

    def checkpoints(self) -> "list[Checkpoint]":
        """What every round says of its weights, in order; those that are damaged are left out.

        Warns:
            CheckpointWarning: As `checkpoint`.
        """
        from nas.runs.checkpoint import read_checkpoint

        folders = sorted(path for path in (self.path / "checkpoints").glob("round-*") if "." not in path.name)
        return [found for folder in folders if (found := read_checkpoint(folder)) is not None]

    def weights_path(self, digest: str, /) -> Path:
        """Where the weights of a digest stand."""
        return self.path / "weights" / f"{digest}.safetensors"

    def training_state(self, round_number: int, /, *, job: int = 0) -> Path:
        """Where the state of a round's training stands while it goes on."""
        return self.path / "training" / f"{self._checkpoint(round_number, job).name}.safetensors"

    def _checkpoint(self, round_number: int, job: int) -> Path:
        return self.path / "checkpoints" / (f"round-{round_number:03d}" + (f"-{job}" if job else ""))


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


def _place_of(round_number: int, job: int) -> dict[str, str]:
    """What a checkpoint says of its place."""
    return {"round": str(round_number), "job": str(job)}
