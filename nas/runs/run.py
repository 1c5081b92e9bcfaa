"""A run as notebooks and reports see it: read only, whether it is finished, running or crashed."""

from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from nas.runs.directory import RunDirectory, RunDirectoryError
from nas.runs.frames import evaluation_frame, round_frame
from nas.runs.spec import read_spec
from nas.runs.trace import read_trace
from nas.scores.store import ScoreStore
from search_spaces.architecture import Architecture


class Run:
    """One search on disk. Nothing here writes; a run that goes on is read anew by opening it again.

    Args:
        path: Its directory.

    Raises:
        RunDirectoryError: There is no run.
    """

    def __init__(self, path: Path, /) -> None:
        self._directory = RunDirectory(path)
        self._config = self._directory.read_config()

    def __repr__(self) -> str:
        state = "finished" if self.is_finished else "unfinished"
        return f"Run({str(self.path)!r}, {state}, {len(self.rounds())} rounds)"

    @property
    def path(self) -> Path:
        """Its directory."""
        return self._directory.path

    @property
    def config(self) -> Mapping[str, Any]:
        """Its settings, as `config.yaml` holds them."""
        config: dict[str, Any] = yaml.safe_load(self._config)
        return config

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """Events of its trace, oldest first (`nas.runs.events`); none before the first was written."""
        trace = self._directory.trace_path
        return read_trace(trace) if trace.is_file() else []

    @property
    def is_finished(self) -> bool:
        """Whether its search ended, and was not extended since."""
        return bool(self.events) and self.events[-1]["event"] == "search_finished"

    def rounds(self) -> pd.DataFrame:
        """One row per round: architecture, predicted latency (ms), score with its interval, what was then decided."""
        return round_frame(self.events)

    def evaluations(self) -> pd.DataFrame:
        """One row per scored removal: what it costs (score) and saves (ms), and its value (score per ms)."""
        return evaluation_frame(self.events)

    def scores(self, *, store: str | PathLike[str] | None = None) -> pd.DataFrame:
        """One row per prompt that an architecture of this run was scored on, with all that the score depends on.

        Args:
            store: The folder of a `score_store` that the run shares with others; None = it keeps its own.

        Raises:
            ScoreStoreError: There is no store there.
        """
        kept = ScoreStore.existing(self.path / "scores" if store is None else Path(store).expanduser())
        trained = dict.fromkeys(event["weights_digest"] for event in self.events if event["event"] == "trained")
        protocols = {event["digests"]["protocol"] for event in self.events if "digests" in event}
        frames = [
            kept.frame(weights_digest=weights, protocol_digest=protocol)
            for weights in trained
            for protocol in sorted(protocols)
        ]
        return pd.concat(frames, ignore_index=True) if frames else kept.frame(weights_digest="")

    @property
    def spec(self) -> Mapping[str, Any]:
        """What it found, as `architecture.json` holds it: scores, latencies, actions, digests.

        Raises:
            SpecError: Its search has not ended yet.
        """
        return read_spec(self._directory.spec_path)[1]

    @property
    def architecture(self) -> Architecture:
        """The architecture that it found.

        Raises:
            SpecError: Its search has not ended yet.
        """
        return read_spec(self._directory.spec_path)[0]


def open_run(path: str | PathLike[str], /) -> Run:
    """Open a run, whether it is finished, running or crashed; nothing is written.

    Args:
        path: Its directory.

    Raises:
        RunDirectoryError: There is no run; no folder is made.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise RunDirectoryError(f"there is no run {folder}; give the directory that a search was told by --out")
    return Run(folder)
