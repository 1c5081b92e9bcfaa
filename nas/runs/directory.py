"""The run directory: resolved config, environment, trace, scores, checkpoints, pictures; one process at a time.

    config.yaml environment.json trace.jsonl scores/ checkpoints/round-003/ images/ architecture.json

It can be read while the run goes on. The same command on the same directory continues the run. Importing this module
does not import torch, so that asking a run for its status is quick.
"""

import fcntl
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nas.runs.changes import config_diff
from nas.scores.store import ScoreStore
from search_spaces.architecture import Architecture
from search_spaces.files.durable import is_part, storage_errors, sweep, write_text
from search_spaces.files.strict_yaml import dumped, read_yaml
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    import torch

LIBRARIES: Final = (
    "snapfusion-nas",
    "torch",
    "diffusers",
    "transformers",
    "open_clip_torch",
    "ray",
    "numpy",
    "safetensors",
)


class RunDirectoryError(UserError):
    """A run directory that belongs to another search, is in use, or is none."""


class RunDirectory:
    """The files of one search below one folder."""

    def __init__(self, path: Path, /) -> None:
        self.path = path

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
        return self.path / "architectures" / f"{label}.json"

    @property
    def scores(self) -> ScoreStore:
        """The store of all scores, `scores/`; made when there is none, but only in a run.

        Raises:
            RunDirectoryError: There is no run here.
        """
        self._check_is_run()
        return ScoreStore(self.path / "scores")

    def read_config(self) -> str:
        """The resolved config of the run.

        Raises:
            RunDirectoryError: There is no run here.
        """
        self._check_is_run()
        return (self.path / "config.yaml").read_text(encoding="utf-8")

    def _check_is_run(self) -> None:
        if not self.path.exists():
            raise RunDirectoryError(f"there is no run {self.path}; give the directory that a search was told by --out")
        if not is_run(self.path):
            raise RunDirectoryError(f"{self.path} is not a run directory: it has no config.yaml")

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

        Args:
            config: The config to run with.
            may_follow: Raises unless a run of the config that it is given may be continued with `config`; None = a run
                keeps its config.
            read: Reads a stored config so that it can be compared with `config`: a run of an older version may lack
                settings. Configs are compared by value, so that a comment or another order is no change.

        Yields:
            The configs that the run had before this one, oldest first, kept in `earlier/`.

        Raises:
            RunDirectoryError: It holds another search, something that is no run, or is being written.
            StorageError: It cannot be written to.

        Warns:
            LeftoverWarning: A killed process left half-written files, which were removed.
        """
        path = self.path / "config.yaml"
        if not path.is_file() and self.path.is_dir() and not all(map(_is_unborn, self.path.iterdir())):
            raise RunDirectoryError(f"{self.path} is not empty and not a run directory; give another --out")
        with self._locked():
            sweep(self.path)
            self._follow(dict(config), may_follow, read)
            if not (described := self.path / "environment.json").is_file():
                write_text(described, json.dumps(environment(), indent=2) + "\n")
            yield [
                earlier for earlier in map(read, self._earlier()) if earlier != config
            ]  # a killed extension leaves its own

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock_file = (self.path / ".lock").open("w")
        with lock_file as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunDirectoryError(
                    f"another process is running a search in {self.path}; wait for it or stop it"
                ) from None
            yield

    def _follow(
        self,
        config: dict[str, Any],
        may_follow: Callable[[Mapping[str, Any]], None] | None,
        read: Callable[[Path], dict[str, Any]],
    ) -> None:
        """Write the config; one that differs from the run's is checked, and the run's own is kept."""
        path = self.path / "config.yaml"
        if path.is_file():
            if (old := read(path)) == config:
                return
            if may_follow is None:
                raise RunDirectoryError(
                    f"{self.path} holds the run of another config:\n{config_diff(old, config)}\n"
                    "give another --out, or the config of that run"
                )
            may_follow(old)
            earlier = self._earlier()
            if not earlier or read(earlier[-1]) != old:  # a killed process may have kept it
                write_text(self.path / "earlier" / f"config-{len(earlier):03d}.yaml", dumped(read_yaml(path)))
        write_text(path, dumped(config))

    def _earlier(self) -> list[Path]:
        return sorted((self.path / "earlier").glob("config-*.yaml"))

    def write_checkpoint(
        self, round_number: int, /, *, architecture: Architecture, weights: Mapping[str, "torch.Tensor"], job: int = 0
    ) -> None:
        """Write a round's architecture and weights; the folder appears whole or not at all.

        Args:
            round_number: The round.
            architecture: What was trained.
            weights: Of the supernet.
            job: Index of the training among those of its round.

        Raises:
            StorageError: The disk refuses.
        """
        from nas.runs.checkpoint import write_checkpoint

        write_checkpoint(self._checkpoint(round_number, job), architecture=architecture, weights=weights)

    def read_weights(self, round_number: int, /, *, job: int = 0) -> dict[str, "torch.Tensor"] | None:
        """The weights of a round's checkpoint; None while its training is not done.

        Warns:
            CheckpointWarning: There is a checkpoint, but it is damaged; it was set aside and the round counts as not
                trained.
        """
        from nas.runs.checkpoint import read_checkpoint

        return read_checkpoint(self._checkpoint(round_number, job))

    def _checkpoint(self, round_number: int, job: int) -> Path:
        return self.path / "checkpoints" / (f"round-{round_number:03d}" + (f"-{job}" if job else ""))


def is_run(path: Path, /) -> bool:
    """Whether a path is a run directory, finished or not."""
    return (path / "config.yaml").is_file()


def _is_unborn(path: Path) -> bool:
    """Whether a run that was killed at its birth can have left this."""
    return path.name == ".lock" or is_part(path)


def environment() -> dict[str, Any]:
    """Versions, commit and machine of this process."""
    import torch

    versions: dict[str, str | None] = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "python": platform.python_version(),
        "libraries": versions,
        "commit": _commit(),
        "machine": {"system": platform.system(), "processor": platform.machine(), "num_cpus": os.cpu_count()},
        "cuda_devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def _commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
