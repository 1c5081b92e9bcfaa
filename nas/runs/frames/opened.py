"""A run's files, each read once when it is first asked for and as far as it goes; what is wrong becomes a sentence."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Final

from nas.runs.bundled.naming import named_run
from nas.runs.directory import RunDirectory
from nas.runs.events import STARTS
from nas.runs.frames.rounds import score_of
from nas.runs.records.lines import KINDS, Line, Losses
from nas.runs.records.reading import Records, read_records
from nas.runs.trace import read_sound_events, seconds_of, time_of
from nas.scores.store import ScoreStore
from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.files.durable.locks import is_locked
from search_spaces.files.strict_yaml import mapping_of
from search_spaces.files.user_error import UserError

_SECTIONS: Final = ("search", "validation", "sampling", "robust_training")  # that readers of a run look into


class OpenedRun:
    """What a run directory holds. Nothing here writes; a run that goes on is read anew by opening it again.

    Args:
        path: Its directory, or the name of a bundled run, such as "sample".

    Raises:
        RunDirectoryError: There is no run.
    """

    def __init__(self, path: str | PathLike[str], /) -> None:
        self._directory = RunDirectory(named_run(path))
        self._config = self._directory.read_config()
        self._records: dict[type[Line], Records] = {}

    @property
    def directory(self) -> RunDirectory:
        """Its files by name."""
        return self._directory

    @property
    def path(self) -> Path:
        """Its directory."""
        return self._directory.path

    @property
    def config(self) -> Mapping[str, Any]:
        """Its settings, as `config.yaml` holds them; a run of an older version lacks those that came later."""
        return self._settings[0]

    @cached_property
    def _settings(self) -> tuple[Mapping[str, Any], list[str]]:
        name = str(self.path / "config.yaml")
        try:
            settings = mapping_of(self._config, name=name)
        except UserError as error:
            return {}, [f"its settings cannot be read: {error}"]
        odd = [section for section in _SECTIONS if not isinstance(settings.get(section, {}), Mapping)]
        if odd:
            return {}, [f"its settings cannot be read: {', '.join(odd)} in {name} must hold settings"]
        return settings, []

    @cached_property
    def _trace(self) -> tuple[list[dict[str, Any]], list[str]]:
        return read_sound_events(self._directory.trace_path)

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """Events of its trace, oldest first, up to the first that is damaged."""
        return self._trace[0]

    @property
    def trace_notices(self) -> tuple[str, ...]:
        """What of its trace is missing or damaged, a plain sentence each."""
        return tuple(self._trace[1])

    @property
    def start(self) -> Mapping[str, Any]:
        """How it began, or was last extended; empty before its first event."""
        return next((event for event in reversed(self.events) if event["event"] in STARTS), {})

    @property
    def finish(self) -> Mapping[str, Any] | None:
        """How its search ended; None while it has not, or was extended since."""
        return self.events[-1] if self.events and self.events[-1]["event"] == "search_finished" else None

    @cached_property
    def state(self) -> str:
        """What it is doing: "finished", "running" or "interrupted"."""
        if self.finish is not None:
            return "finished"
        return "running" if is_locked(self._directory.trace_path) else "interrupted"

    @property
    def score(self) -> str:
        """The name of the score that it searches by."""
        return score_of(self.events)

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is a better one."""
        told = self.start.get("score") or {}
        return bool(told.get("higher_is_better", True))

    @property
    def protocols(self) -> set[str]:
        """Digests of how its pictures are made and judged."""
        return {event["digests"]["protocol"] for event in self.events if event["event"] in STARTS}

    @property
    def base_id(self) -> str | None:
        """Digest of the base model's architecture; None before the first round."""
        first = next((event for event in self.events if event["event"] == "evaluation"), None)
        stages = (self.start.get("base") or {}).get("stages")
        if first is not None and first["action"] is None and first.get("stages") == stages:
            return str(first["arch_id"])
        base = self.base
        return None if base is None else base.arch_id

    @cached_property
    def base(self) -> Architecture | None:
        """The base model's architecture; None where the trace does not say it."""
        try:
            return Architecture.from_dict(self.start["base"]) if self.start else None
        except (ArchitectureError, KeyError):
            return None

    def records(self, kind: type[Line], /) -> Records:
        """A side file's lines."""
        if kind not in self._records:
            self._records[kind] = read_records(self.path, kind)
        return self._records[kind]

    def store(self, folder: str | PathLike[str] | None = None, /) -> ScoreStore:
        """The store of its scores.

        Args:
            folder: Of a `score_store` that it shares with others; None = its own.

        Raises:
            ScoreStoreError: There is none.
        """
        return ScoreStore.existing(self.path / "scores" if folder is None else folder)

    def own_store(self, folder: str | PathLike[str] | None = None, /) -> ScoreStore | None:
        """The same; None where its own is not there. One that was named has to be."""
        if folder is not None:
            return self.store(folder)
        try:
            return self.store()
        except (UserError, OSError):
            return None

    @property
    def hours(self) -> float:
        """Hours of wall time that its trainings and scorings took, over all processes that worked on it."""
        return sum(map(seconds_of, self.events)) / 3600

    @property
    def last_time(self) -> float | None:
        """Unix seconds of its last event; None where nothing says it."""
        times = map(time_of, reversed(self.events))
        return next((time for time in times if time is not None), None)

    @property
    def _trains(self) -> bool:
        """Whether its settings have it train; True where they do not say."""
        try:
            settings = self.config["robust_training"]
            return any(settings[name] != 0 for name in ("iterations", "recovery_iterations"))
        except (UserError, OSError, LookupError, TypeError):
            return True

    @cached_property
    def notices(self) -> tuple[str, ...]:
        """What is missing or damaged, a plain sentence each."""
        notices = [*self._settings[1], *self.trace_notices]
        if self.state == "running":
            notices.append("the run is being written: this is how far it has come")
        elif self.state == "interrupted":
            notices.append("the search was interrupted; its own command continues it")
        for kind in KINDS:
            if kind is not Losses or self._trains or (self.path / kind.file).exists():
                notices += self.records(kind).notices
        store = self.own_store()
        if store is None:
            notices.append(
                "there are no scores in the run: they lie in the folder that `score_store` named, or are lost"
            )
        elif any(event["event"] == "evaluation" and event["action"] for event in self.events) and not any(
            (self.path / "scores").glob("*/*.samples.parquet")
        ):
            notices.append(
                "there are no pictures of single actions: `pictures.per_action` was 0, or an older version searched"
            )
        return tuple(notices)
