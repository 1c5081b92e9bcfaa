"""A run, or several, as notebooks and reports see them: read only, whether finished, running or crashed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from nas.runs.frames.methods import Frames
from nas.runs.frames.opened import OpenedRun
from nas.runs.frames.tidy import several
from nas.runs.spec import read_spec
from search_spaces.architecture import Architecture


class Run(Frames):
    """One search on disk. Nothing here writes; a run that goes on is read anew by opening it again.

    Args:
        path: Its directory, or the name of a bundled run, such as "sample".

    Raises:
        RunDirectoryError: There is no run.
    """

    def __init__(self, path: str | PathLike[str], /) -> None:
        self._opened = OpenedRun(path)

    def __repr__(self) -> str:
        return f"<Run {str(self.path)!r}: {self.state}, {len(self.rounds())} rounds>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.rounds().to_html(index=False)}"

    def _made(self, make: Callable[[OpenedRun], pd.DataFrame], /) -> pd.DataFrame:
        return make(self._opened)

    @property
    def path(self) -> Path:
        """Its directory."""
        return self._opened.path

    @property
    def config(self) -> Mapping[str, Any]:
        """Its settings, as `config.yaml` holds them; a run of an older version lacks those that came later."""
        return self._opened.config

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """Events of its trace, oldest first (docs/traces.md); none before the first was written.

        Those from the first damaged line on are left out, which `notices` says.
        """
        return self._opened.events

    @property
    def start(self) -> Mapping[str, Any]:
        """The event with which it began, or was last extended (docs/traces.md); empty before its first event."""
        return self._opened.start

    @property
    def is_finished(self) -> bool:
        """Whether its search ended, and was not extended since."""
        return self._opened.finish is not None

    @property
    def state(self) -> str:
        """What it is doing: "finished", "running" (a process works on it now) or "interrupted"."""
        return self._opened.state

    @property
    def notices(self) -> tuple[str, ...]:
        """What is missing or damaged, and whether the search still goes on: a plain sentence each."""
        return self._opened.notices

    @property
    def trace_notices(self) -> tuple[str, ...]:
        """Those of `notices` that say why `events` are not all; none where the trace is whole."""
        return self._opened.trace_notices

    @property
    def score(self) -> str:
        """The name of the score that it searches by, such as "clip"; columns of the frames have it."""
        return self._opened.score

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is a better one."""
        return self._opened.higher_is_better

    @property
    def target_latency_ms(self) -> float | None:
        """The objective in milliseconds; None before the first event."""
        target: float | None = self._opened.start.get("target_latency_ms")
        return target

    @property
    def hours(self) -> float:
        """Hours of wall time that trainings and scorings took, over all processes that worked on it."""
        return self._opened.hours

    @property
    def last_time(self) -> float | None:
        """Unix seconds of its last event; None where nothing says it."""
        return self._opened.last_time

    @property
    def spec(self) -> Mapping[str, Any]:
        """What it found, as `architecture.json` holds it: scores, latencies (ms), actions, digests.

        Raises:
            SpecError: Its search has not ended yet. A run that was extended keeps what it found before, until it ends.
        """
        return read_spec(self._opened.directory.spec_path)[1]

    @property
    def architecture(self) -> Architecture:
        """The architecture that it found; see `spec`.

        Raises:
            SpecError: Its search has not ended yet.
        """
        return read_spec(self._opened.directory.spec_path)[0]


class Runs(Frames):
    """Several runs. Each frame has the rows of all below each other, and a first column `run` with their names.

    Args:
        runs: Them.
    """

    def __init__(self, runs: Iterable[Run], /) -> None:
        self._runs = tuple(runs)
        self._names = _unique([run.path for run in self._runs])

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __getitem__(self, name: str, /) -> Run:
        return dict(zip(self._names, self._runs, strict=True))[name]

    def __repr__(self) -> str:
        states = (f"{name} ({run.state})" for name, run in zip(self._names, self._runs, strict=True))
        return f"<Runs {', '.join(states)}>"

    @property
    def names(self) -> tuple[str, ...]:
        """Their directories' names, with as much of the path before them as makes them different."""
        return self._names

    def _made(self, make: Callable[[OpenedRun], pd.DataFrame], /) -> pd.DataFrame:
        frames = []
        for name, run in zip(self._names, self._runs, strict=True):
            frame = run._made(make)
            frame.insert(0, "run", name)
            frames.append(frame)
        filled = [frame for frame in frames if not frame.empty]
        if not frames:
            return pd.DataFrame({"run": pd.Series(dtype="str")})
        return pd.concat(filled, ignore_index=True) if filled else frames[0]


def _unique(paths: Sequence[Path]) -> tuple[str, ...]:
    """A name for each path: its last parts, as many as tell all apart; the same path twice gets a number."""
    whole = [path.resolve() for path in paths]
    for num in range(1, max((len(path.parts) for path in whole), default=0) + 1):
        names = ["/".join(path.parts[-num:]) for path in whole]
        if len(set(names)) == len(set(whole)):
            break
    counts: dict[str, int] = {}
    numbered = []
    for name in names if whole else ():
        counts[name] = counts.get(name, 0) + 1
        numbered.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
    return tuple(numbered)


def open_run(path: str | PathLike[str], /) -> Run:
    """Open a run, whether it is finished, running or crashed; nothing is written.

    Args:
        path: Its directory, or the name of a bundled run, such as "sample".

    Raises:
        RunDirectoryError: There is no run; no folder is made.
    """
    return Run(path)


def open_runs(paths: Iterable[str | PathLike[str]], /) -> Runs:
    """Open several runs, whose frames stand below each other with a first column `run`.

    Args:
        paths: Their directories.

    Raises:
        ValueError: One of them is no run, or they are no list.
    """
    return Runs(Run(path) for path in several(paths, name="paths"))
