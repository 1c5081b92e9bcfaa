"""What figures ask a run beside its frames: its base, its target, its architectures, and how things are called."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from nas.reports.layout import lay_out
from nas.reports.style import FigureError, plain
from nas.runs.frames.beliefs import rule_of, weighed_values
from nas.runs.frames.rounds import is_of_round
from nas.runs.run import Run
from nas.scores.labels import score_axis
from search_spaces.actions import Sign, parse_action
from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.files.user_error import UserError

SIGNS: Final = {Sign.REMOVE: "−", Sign.COPY: "+"}
_POWERS: Final = {0: "", -3: "10⁻³", -6: "10⁻⁶", 3: "10³", 6: "10⁶"}


def start_of(run: Run, /) -> Mapping[str, Any]:
    """The event that its search, or the last extension of it, began with.

    Raises:
        FigureError: Nothing has happened yet.
    """
    if not run.start:
        raise FigureError(f"{run.path} has no event yet: its search has not begun; draw it again once it has")
    return run.start


def base_of(run: Run, /) -> Architecture:
    """The base model's architecture.

    Raises:
        FigureError: Nothing has happened yet, or the search is not over UNets.
    """
    try:
        return Architecture.from_dict(start_of(run)["base"])
    except ArchitectureError as error:
        raise FigureError(
            f"this figure is a drawing of a UNet, but {run.path} searched another family; "
            "`importance`, `tradeoff` and `decisions` show it"
        ) from error


def architectures(run: Run, /) -> dict[int, Architecture]:
    """The architecture of every round that was scored; of a round with several, the first.

    Raises:
        FigureError: None was, or the search is not over UNets.
    """
    base_of(run)
    found: dict[int, Architecture] = {}
    for event in run.events:
        if event["event"] == "evaluation" and is_of_round(event) and event.get("stages"):
            plain_form = {"schema_version": 1, "stages": event["stages"]}
            found.setdefault(event["round"], Architecture.from_dict(plain_form))
    if not found:
        raise FigureError(f"{run.path} has no scored round yet; draw it again once its first round is scored")
    return found


def rounds_of(run: Run, /) -> pd.DataFrame:
    """Its rounds, at least one.

    Raises:
        FigureError: There is none yet.
    """
    rounds = run.rounds()
    if rounds.empty:
        raise FigureError(f"{run.path} has no scored round yet; draw it again once its first round is scored")
    return rounds


def records(frame: pd.DataFrame, /) -> list[dict[str, Any]]:
    """The rows of a frame, each by column."""
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    return rows


def round_rows(run: Run, /) -> dict[int, dict[str, Any]]:
    """The row of every round, by its number; of a round with several, the first.

    Raises:
        FigureError: There is none yet.
    """
    return {int(row["round"]): row for row in records(rounds_of(run).drop_duplicates("round"))}


def actions_of(run: Run, /, *, round: int | None = None) -> tuple[int, pd.DataFrame]:
    """A round and its scored actions, at least one; None = the first that has some.

    Raises:
        FigureError: There is none.
    """
    scored = run.evaluations()
    if scored.empty:
        raise FigureError(f"{run.path} has no scored action yet; draw it again once its first round is scored")
    there = sorted(scored["round"].unique())
    wanted = there[0] if round is None else round
    if wanted not in there:
        raise FigureError(
            f"{run.path} scored no action in round {wanted}; choose among {', '.join(map(str, there))} by `--round`"
        )
    return int(wanted), scored[scored["round"] == wanted].reset_index(drop=True)


def weighed_of(run: Run, /) -> dict[tuple[int, str], float]:
    """Score lost per ms as the search weighed it, by (round, removal); {} where the mean counted, or nobody knows."""
    try:
        return weighed_values(run.events, rule_of(run.config))
    except UserError:
        return {}


def executed(run: Run, /) -> dict[int, list[str]]:
    """The actions that every round led to."""
    return {event["round"]: list(event["actions"]) for event in run.events if event["event"] == "decision"}


def origin_name(run: Run, /) -> str:
    """What its first round's architecture is called: "base", or "start" where the search began elsewhere."""
    try:
        rounds = architectures(run)
        return "base" if rounds[min(rounds)] == base_of(run) else "start"
    except FigureError:
        return "base"


def found_round(run: Run, /) -> int | None:
    """The round whose architecture its search found; None while it goes on."""
    return int(run.events[-1]["round"]) if run.is_finished else None


def block_names(run: Run, /) -> dict[str, str]:
    """How people call the blocks that actions are about, as far as it is a UNet's: {"resnet[up.3,0]": ...}."""
    try:
        return {cell.block: cell.name for cell in lay_out(base_of(run)).cells}
    except FigureError:
        return {}


def action_name(action: str, /, *, names: Mapping[str, str]) -> str:
    """An action for people: "− Up-3 ResNet 1"; what is no block of a UNet keeps its own words."""
    try:
        parsed = parse_action(action)
    except ArchitectureError:
        return plain(action)
    blocks = dict.fromkeys(block.block for block in parsed.blocks)
    return plain(f"{SIGNS[parsed.sign]} {' & '.join(names.get(block, block) for block in blocks)}")


def score_name(run: Run, /) -> str:
    """What its score is called on an axis."""
    return plain(score_axis(run.score))


def scaled(values: Sequence[float], /) -> tuple[float, str]:
    """A power of a thousand that makes values readable, and how an axis says it: (1000.0, "10⁻³ ")."""
    largest = max((abs(value) for value in values if value == value and abs(value) != float("inf")), default=1.0)
    for power in (6, 3, 0, -3):
        if largest >= 10.0**power:
            break
    else:
        power = -6
    return 10.0**-power, f"{_POWERS[power]} " if power else ""
