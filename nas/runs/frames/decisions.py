"""What was executed and how sure that was: each action beside the best one that was not taken, prompt by prompt.

Where another score looked at a round's actions, what it said of an executed one stands beside.
"""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from os import PathLike
from typing import Any, Final

import pandas as pd

from nas.runs.frames.beliefs import RoundBelief, rule_of
from nas.runs.frames.opened import OpenedRun
from nas.runs.frames.rounds import CERTAINTY, certainty, scored_with_weights
from nas.runs.frames.tidy import ANY, WHOLE, numbers, tidy
from nas.scores.intervals import chance_above, losses
from nas.scores.maker import of_one_maker
from nas.scores.store import ScoreStore
from search_spaces.actions import parse_action
from search_spaces.architecture import ArchitectureError

Event = Mapping[str, Any]
Losses = Mapping[str, float]  # by prompt
_UNSEEN: Final = (None, nan, nan, nan, None)  # by no other score


def decision_frame(run: OpenedRun, /, *, store: str | PathLike[str] | None = None) -> pd.DataFrame:
    """One row per executed action and per stop. Its columns stand in `Run.decisions`."""
    loss = f"d_{run.score}"
    kinds = {"round": WHOLE, "order": WHOLE, "action": ANY}
    kinds |= numbers(loss, f"{loss}_low", f"{loss}_high", "d_latency_ms", "value")
    kinds |= {"runner_up": ANY, **numbers("margin", "chance"), "stop": ANY, **numbers(*CERTAINTY)}
    kinds |= {"screened_by": ANY, **numbers("change", "change_low", "change_high"), "unit": ANY}
    scored = _Rounds(run, store)
    rows: list[tuple[Any, ...]] = []
    for event in run.events:
        if event["event"] != "decision":
            continue
        for order, action in enumerate(event["actions"]):
            row = scored.row(event["round"], action, executed=event["actions"])
            cheap = scored.cheap(event["round"], action)
            rows.append((event["round"], order, *row, None, *certainty(event), *cheap))
        if event["stop"] is not None:
            number, place = event["round"], len(event["actions"])
            rows.append((number, place, None, *[nan] * 5, None, nan, nan, event["stop"], nan, nan, *_UNSEEN))
    return tidy(rows, kinds)


class _Rounds:
    """The scored actions of every round, with their losses by prompt."""

    def __init__(self, run: OpenedRun, store: str | PathLike[str] | None) -> None:
        self._run, self._store = run, run.own_store(store)
        self._actions: dict[int, dict[str, Event]] = {}
        self._references: dict[int, str] = {}
        self._weights: dict[int, str | None] = {}
        for event, weights in scored_with_weights(run.events):
            if event["action"] is None:
                self._references.setdefault(event["round"], event["arch_id"])
            else:
                self._actions.setdefault(event["round"], {})[event["action"]] = event
            self._weights[event["round"]] = weights
        self._measured = {
            (event["round"], subject["action"]): (event, subject)
            for event in run.events
            if event["event"] == "measurement" and event.get("by") is not None
            for subject in event["subjects"]
            if subject["action"] is not None and subject["loss"] is not None
        }
        self._known: dict[tuple[int, str], Losses] = {}
        self._reference: tuple[int, pd.DataFrame] | None = None
        self._rule, self._beliefs = rule_of(run.config), dict[int, RoundBelief | None]()

    def row(self, number: int, action: str, /, *, executed: Sequence[str]) -> tuple[Any, ...]:
        """action, loss with its interval, ms saved, value, runner-up, margin, chance."""
        scored, is_copy = self._actions.get(number, {}), action not in self._actions.get(number, {})
        event = scored.get(inverse(action) if is_copy else action)  # a copy is chosen by its block's removal
        if event is None:  # it was not scored, but perhaps by another score
            _, seen = self._seen(number, action)
            return (action, *[nan] * 3, seen.get("d_latency_ms", nan), nan, None, nan, nan)
        loss = event["d_clip"]
        taken = (action, loss["mean"], loss["low"], loss["high"], event["d_latency_ms"], _value(event))
        others = [
            other
            for name, other in scored.items()
            if (inverse(name) if is_copy else name) not in executed and not isnan(_value(other))
        ]
        if not others or isnan(_value(event)):
            return (*taken, None, nan, nan)
        sign = -1 if is_copy else 1
        if (belief := self._belief(number)) is not None:  # the search weighed losses before it compared them
            worth = {each["action"]: sign * belief.value(each["action"], highest=is_copy) for each in (event, *others)}
            known = [each for each in others if not isnan(worth[each["action"]])]
            if not known:
                return (*taken, None, nan, nan)
            rival = min(known, key=lambda each: worth[each["action"]])
            margin = worth[rival["action"]] - worth[event["action"]]
            chance = belief.chance(event["action"], rival["action"], highest=is_copy)
        else:
            rival = min(others, key=lambda each: sign * _value(each))
            margin = sign * (_value(rival) - _value(event))
            chance = chance_above([sign * each for each in self._leads(number, event, rival)])
        return (*taken, inverse(rival["action"]) if is_copy else rival["action"], margin, chance)

    def cheap(self, number: int, action: str, /) -> tuple[Any, ...]:
        """By which other score it was looked at, what that said with its interval, and in which unit."""
        event, seen = self._seen(number, action)
        if not seen:
            return _UNSEEN
        loss = seen["loss"]
        return event["by"], loss["mean"], loss["low"], loss["high"], event.get("unit")

    def _seen(self, number: int, action: str) -> tuple[Event, Event]:
        """The measurement of an executed action, and what it says of it; of a copy that of its block's removal."""
        nothing: tuple[Event, Event] = ({}, {})
        return self._measured.get((number, action)) or self._measured.get((number, inverse(action)), nothing)

    def _belief(self, number: int) -> RoundBelief | None:
        if number not in self._beliefs:
            self._beliefs[number] = RoundBelief.of([*self._actions.get(number, {}).values()], self._rule)
        return self._beliefs[number]

    def _leads(self, number: int, event: Event, rival: Event) -> list[float]:
        """By how much the rival's value is above the action's, on each prompt that both have."""
        one, other = self._losses(number, event["arch_id"]), self._losses(number, rival["arch_id"])
        return [
            other[prompt] / rival["d_latency_ms"] - one[prompt] / event["d_latency_ms"]
            for prompt in one
            if prompt in other
        ]

    def _losses(self, number: int, arch_id: str) -> Losses:
        """What each prompt loses, as far as its scores are there."""
        if (number, arch_id) not in self._known:
            if self._reference is None or self._reference[0] != number:  # one round's at a time: all its actions ask
                self._reference = number, self._scores(number, self._references.get(number))
            frames = of_one_maker(self._reference[1], self._scores(number, arch_id))
            before, after = (
                dict(frame[["prompt_id", self._run.score]].itertuples(index=False, name=None)) for frame in frames
            )
            both = [prompt for prompt in after if prompt in before]
            lost = losses(
                [before[prompt] for prompt in both],
                [after[prompt] for prompt in both],
                higher_is_better=self._run.higher_is_better,
            )
            self._known[number, arch_id] = dict(zip(both, lost, strict=True))
        return self._known[number, arch_id]

    def _scores(self, number: int, arch_id: str | None) -> pd.DataFrame:
        """An architecture's scores with their prompts and makers; none where the store has none."""
        weights, score = self._weights.get(number), self._run.score
        columns = ["made_by", "prompt_id", score]
        if self._store is None or arch_id is None or weights is None:
            return ScoreStore.empty_frame(score=score, columns=columns)
        return self._store.frame(
            score=score,
            weights_digest=weights,
            protocol_digest=self._run.protocols,
            arch_id=arch_id,
            columns=columns,
        )


def inverse(action: str, /) -> str:
    """The action that undoes one: of a removal the copy; of another family's actions the sign alone is known."""
    try:
        return str(parse_action(action).inverse)
    except ArchitectureError:
        return {"-": "+", "+": "-"}.get(action[:1], action[:1]) + action[1:]


def _value(event: Event) -> float:
    """Score lost per ms saved; NaN where no time is saved."""
    return nan if event["value"] is None or event["d_latency_ms"] == 0 else float(event["value"])
