"""Everything that a report needs of a run, read once; what is missing or damaged becomes a notice, and no error."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar, cast

import pandas as pd

from nas.reports.page.values import Measured, ScoreLabel, State
from nas.runs.comparison import compared
from nas.runs.events import STARTS
from nas.runs.frames.beliefs import rule_of, weighed_values
from nas.runs.frames.rounds import is_of_round
from nas.runs.run import Run
from nas.scores.captions import read_captions
from nas.scores.intervals import Interval
from nas.scores.store import ScoreStore
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.user_error import UserError

T = TypeVar("T")
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A run as a report reads it. Frames are those of `Run`; empty where there is nothing.

    Attributes:
        path: Its directory.
        state: Of the run.
        notices: What is missing or damaged.
        events: Of its trace, as far as it can be read.
        score: What it was by.
        config: Its settings; {} where they are damaged.
        config_text: The same as the file has it.
        environment: What it began on; {} where that is gone.
        spec: What it found; None before it ends.
        loss: Paired loss of the result to the start; None where the scores are gone.
        measured: Latency that an export measured.
        export: Folder of the first export that lies in it; None where there is none.
        weighed: Loss per millisecond saved as the search weighed it, by (round, removal); {} where the mean counted.
        num_captions: In the file that its prompts come from; None where that is not here.
    """

    path: Path
    state: State
    notices: tuple[str, ...]
    events: Sequence[Event]
    score: ScoreLabel
    config: Mapping[str, Any]
    config_text: str
    environment: Mapping[str, Any]
    spec: Mapping[str, Any] | None
    loss: Interval | None
    rounds: pd.DataFrame
    evaluations: pd.DataFrame
    decisions: pd.DataFrame
    races: pd.DataFrame
    blocks: pd.DataFrame
    pictures: pd.DataFrame
    measured: Measured | None
    export: str | None
    weighed: Mapping[tuple[int, str], float]
    num_captions: int | None

    @property
    def started(self) -> Event:
        """The event that the search began with, or was last extended with; {} before."""
        return next((event for event in reversed(self.events) if event["event"] in STARTS), {})

    @property
    def finished(self) -> Event | None:
        """The event that the search ended with; None while it did not."""
        last = self.events[-1] if self.events else {}
        return last if last.get("event") == "search_finished" else None


def read_source(run: Run, /, *, store: str | PathLike[str] | None = None) -> Source:
    """Read a run, whatever of it can be read.

    Args:
        run: The run.
        store: The folder of a `score_store` that it shares with others; None = it keeps its own.
    """
    notices: list[str] = []

    def tried(read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except (UserError, OSError) as error:
            if str(error) not in notices:
                notices.append(str(error))
            return otherwise

    def frame(read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        return tried(read, pd.DataFrame())

    if store is not None and tried(partial(ScoreStore.existing, store), None) is None:
        store = None  # said by a notice; the rest of the page does not need it
    events: Sequence[Event] = tried(lambda: run.events, [])
    is_finished = bool(events) and events[-1]["event"] == "search_finished"
    score, spec = _score(events), tried(lambda: run.spec, None) if is_finished else None
    nothing: Mapping[str, Any] = {}
    unweighed: dict[tuple[int, str], float] = {}
    found: dict[str, Any] = {
        "config": tried(lambda: run.config, nothing),
        "config_text": tried(lambda: _text(run.path / "config.yaml"), ""),
        "environment": tried(lambda: _environment(run.path / "environment.json"), nothing),
        "loss": tried(lambda: _loss(run, events, score=score, store=store), None),
        "rounds": frame(run.rounds),
        "evaluations": frame(run.evaluations),
        "decisions": frame(lambda: run.decisions(store=store)),
        "races": frame(run.races),
        "blocks": frame(run.blocks),
        "measured": tried(lambda: _measured(run), None),
        "export": next(iter(frame(run.exports).get("path", [])), None),
        "weighed": tried(lambda: weighed_values(events, rule_of(run.config)), unweighed),
        "num_captions": _num_captions(run),
        "pictures": frame(lambda: _pictures(run, events, store=store)),
    }
    told = (*run.notices, *(notice for notice in notices if notice not in run.notices))
    return Source(
        path=run.path, state=cast("State", run.state), notices=told, events=events, score=score, spec=spec, **found
    )


def _score(events: Sequence[Event]) -> ScoreLabel:
    named = next((event["score"] for event in events if event.get("score")), None)
    if named is None:
        return ScoreLabel()
    return ScoreLabel(name=named["name"], higher_is_better=bool(named.get("higher_is_better", True)))


def _pictures(run: Run, events: Sequence[Event], *, store: str | PathLike[str] | None) -> pd.DataFrame:
    """Each round's own pictures, and those of every action from the last round that scored it: no more is read."""
    wanted: dict[int, set[str | None]] = {}
    last = {event["action"]: event["round"] for event in events if event["event"] == "evaluation" and event["action"]}
    for event in events:
        if event["event"] == "evaluation":
            is_wanted = event["action"] is None or last[event["action"]] == event["round"]
            wanted.setdefault(event["round"], set()).update({event["action"]} if is_wanted else set())
    frames = [run.pictures(rounds=[number], actions=actions, store=store) for number, actions in wanted.items()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _num_captions(run: Run) -> int | None:
    """How many captions there are to score on; None where the run's file of them is not here, as on another machine."""
    try:
        return len(read_captions(Path(run.config["validation"]["captions"])))
    except (UserError, OSError, KeyError, TypeError):
        return None


def _measured(run: Run) -> Measured | None:
    """What the first export that measured anything says."""
    for row in run.exports().to_dict(orient="records"):
        if row["measured_latency_ms"] > 0:
            report = read_json_object(run.path / row["path"] / "export.json")
            base = report.get("base_latency_ms")
            return Measured(
                form=str(row["form"]),
                latency_ms=float(row["measured_latency_ms"]),
                base_latency_ms=float(base) if isinstance(base, (int, float)) and base > 0 else None,
            )
    return None


def _loss(
    run: Run, events: Sequence[Event], *, score: ScoreLabel, store: str | PathLike[str] | None
) -> Interval | None:
    """What the result, or as yet the last round, lost to the start, prompt by prompt."""
    trained = [event for event in events if event["event"] == "trained"]
    own = [event for event in events if event["event"] == "evaluation" and is_of_round(event)]
    if not trained or not own or any("job" in event for event in trained) or not any("digests" in e for e in events):
        return None
    ended = next((event for event in reversed(events) if event["event"] == "search_finished"), own[-1])
    last = next((e for e in reversed(own) if (e["round"], e["arch_id"]) == (ended["round"], ended["arch_id"])), None)
    weights = {event["round"]: event["weights_digest"] for event in trained}
    if last is None or last is own[0] or last["round"] not in weights:
        return None
    return compared(
        events,
        store=ScoreStore.existing(run.path / "scores" if store is None else store),
        arch_id=last["arch_id"],
        weights_digest=weights[last["round"]],
        score=score.name,
        higher_is_better=score.higher_is_better,
        confidence=last["clip"]["confidence"],
    ).loss


def _environment(path: Path) -> Mapping[str, Any]:
    """What the run began on; {} for runs that are older than this file."""
    return read_json_object(path) if path.is_file() else {}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
