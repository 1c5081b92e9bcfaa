"""From a run's frames to rounds, decisions and blocks as a page shows them; pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from nas.reports.layout import lay_out
from nas.reports.page.pictures import Album
from nas.reports.page.reading import Event, Source
from nas.reports.page.values import BlockStory, Decision, Estimate, RoundView, Scored, Spent
from nas.runs.frames.rounds import is_of_round
from nas.runs.trace import passes_of, seconds_of
from search_spaces.actions import GENES, Action, Sign, parse_action
from search_spaces.architecture import Architecture, ArchitectureError


def source_base(source: Source, /) -> Architecture | None:
    """The base model's architecture; None where the run does not say it, or it is no UNet of ours."""
    return _architecture(next((event["base"] for event in source.events if "base" in event), None))


def rounds_of(source: Source, album: Album, /) -> tuple[RoundView, ...]:
    """Every architecture that was scored for its own sake, in order, with the pictures of its prompts."""
    own = [event for event in source.events if event["event"] == "evaluation" and is_of_round(event)]
    executed = {event["round"]: tuple(event["actions"]) for event in source.events if event["event"] == "decision"}
    found = source.finished or {}
    views = []
    for index, event in enumerate(own):
        prompts = album.prompts(own[0]["round"])[: album.most(event["round"])] or album.prompts(event["round"])
        views.append(
            RoundView(
                index=index,
                round=event["round"],
                arch_id=event["arch_id"],
                latency_ms=event["predicted_latency_ms"],
                score=_estimate(event["clip"]),
                num_prompts=event["clip"]["num_prompts"],
                num_params=event["num_params"],
                actions=executed.get(event["round"], ()),
                counts=_counts(_architecture({"schema_version": 1, "stages": event["stages"]}))
                if event.get("stages")
                else {},
                pictures=album.shown(event["round"], prompts=prompts),
                is_found=bool(found) and (found["round"], found["arch_id"]) == (event["round"], event["arch_id"]),
            )
        )
    return tuple(views)


def decisions_of(source: Source, /) -> tuple[Decision, ...]:
    """Every executed action, in order."""
    tolerances = {
        event["round"]: (event.get("certainty") or {}).get("tolerance")
        for event in source.events
        if event["event"] == "decision"
    }
    return tuple(
        Decision(
            round=int(row["round"]),
            order=int(row["order"]) + 1,
            action=row["action"],
            loss=_interval(row, f"d_{source.score.name}"),
            saved_ms=_known(row["d_latency_ms"]),
            value=_known(row["value"]),
            runner_up=row["runner_up"] if isinstance(row["runner_up"], str) else None,
            margin=_known(row["margin"]),
            chance=_known(row["chance"]),
            chance_right=_known(row.get("chance_right", math.nan)),
            expected_loss=_known(row.get("expected_loss", math.nan)),
            tolerance=_known(tolerances.get(int(row["round"]))),
            screened_by=row.get("screened_by"),
            change=_interval(row, "change"),
            unit=row.get("unit"),
        )
        for row in _rows(source.decisions)
        if isinstance(row["action"], str)
    )


def evaluations_of(source: Source, /) -> tuple[Scored, ...]:
    """Every scored action, in the order of scoring, with its place among those of its round and sign."""
    executed = {
        (event["round"], action)
        for event in source.events
        if event["event"] == "decision"
        for action in event["actions"]
    }
    rows = list(_rows(source.evaluations))
    worths = [_worth(row, source) for row in rows]
    values: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for row, worth in zip(rows, worths, strict=True):
        values.setdefault((row["round"], row["action"][:1]), []).append(worth)
    scored = []
    for row, worth in zip(rows, worths, strict=True):
        rivals = values[row["round"], row["action"][:1]]
        loss = _interval(row, f"d_{source.score.name}")
        assert loss is not None
        scored.append(
            Scored(
                round=int(row["round"]),
                action=row["action"],
                loss=loss,
                saved_ms=float(row["d_latency_ms"]),
                value=_known(row["value"]),
                num_prompts=int(row["num_prompts"]),
                rank=1 + sum(rival < worth for rival in rivals),
                num_ranked=len(rivals),
                is_executed=(row["round"], row["action"]) in executed,
                weighed=source.weighed.get((row["round"], row["action"])),
            )
        )
    return tuple(scored)


def blocks_of(
    source: Source,
    album: Album,
    /,
    *,
    rounds: Sequence[RoundView],
    decisions: Sequence[Decision],
    evaluations: Sequence[Scored],
) -> tuple[BlockStory, ...]:
    """The story of every block of the base model, in the order of the forward pass; () where there is no UNet."""
    base = source_base(source)
    if base is None:
        return ()
    moved = {
        action: _moved(action)
        for action in {*(each.action for each in decisions), *(each.action for each in evaluations)}
    }
    prices = _prices(source)
    stories = []
    for cell in lay_out(base).cells:
        mine = [action for action, blocks in moved.items() if cell.block in blocks]
        removals = tuple(each for each in evaluations if each.action in mine and each.action.startswith("-"))
        ms, num_params = prices.get((cell.stage, cell.position, str(cell.kind)), (None, None))
        story = BlockStory(
            name=cell.block,
            label=cell.name,
            kind=str(cell.kind),
            stage=cell.stage,
            position=cell.position,
            num_base=cell.own,
            counts=tuple(each.counts.get(cell.block, 0) for each in rounds) or (cell.own,),
            price_ms=ms,
            num_params=num_params,
            scored=removals,
            copied=tuple(each for each in evaluations if each.action in mine and each.action.startswith("+")),
            decisions=tuple(each for each in decisions if each.action in mine),
            **_pictures(album, mine),
        )
        stories.append(story)
    return tuple(stories)


def spent_by(events: Iterable[Event], /) -> Spent:
    """What a search cost, as its events say it."""
    pictures: dict[int, int] = {}
    races: dict[int, int] = {}
    steps, seconds, passes = 0, 0.0, 0
    seen: set[tuple[int, str]] = set()
    whole, weights = set[tuple[str, str]](), ""
    for event in events:
        seconds += seconds_of(event)
        passes += passes_of(event)
        if event["event"] == "trained":
            steps += event["iterations"]
            weights = event["weights_digest"]
        elif event["event"] == "race":
            races[event["round"]] = event["num_pictures"]
        elif event["event"] == "evaluation" and (key := (event["round"], event["arch_id"])) not in seen:
            seen.add(key)
            if event["action"] is None and (event["arch_id"], weights) in whole:  # scored in an earlier batch
                continue
            whole |= {(event["arch_id"], weights)} if event["action"] is None else set()
            scored = event["clip"] if event["action"] is None else event["d_clip"]
            pictures[event["round"]] = pictures.get(event["round"], 0) + scored["num_prompts"]
    return Spent(
        num_pictures=sum((pictures | races).values()), num_training_steps=steps, seconds=seconds, num_passes=passes
    )


def _pictures(album: Album, actions: Sequence[str]) -> dict[str, Any]:
    """The last pictures that were drawn without a block, and the same prompts with it."""
    for number, action in album.rounds_of([action for action in actions if action.startswith("-")]):
        prompts = album.prompts(number, action=action)
        return {
            "pictures_round": number,
            "with_block": album.shown(number, prompts=prompts),
            "without_block": album.shown(number, prompts=prompts, action=action),
        }
    return {}


def _prices(source: Source) -> dict[tuple[str, int, str], tuple[float | None, int | None]]:
    """Milliseconds and parameters of the base's blocks by (stage, position, kind)."""
    prices: dict[tuple[str, int, str], tuple[float | None, int | None]] = {}
    for row in _rows(source.blocks):
        if row["round"] == -1:
            key = row["stage"], int(row["position"]), str(row["kind"])
            ms, num = prices.get(key, (0.0, 0))
            own = _known(row["ms"])
            prices[key] = (None if ms is None or own is None else ms + own, (num or 0) + int(row["num_params"]))
    return prices


def _moved(action: str) -> frozenset[str]:
    """Names of the blocks that an action moves."""
    try:
        return frozenset(step.block for step in parse_action(action).blocks)
    except ArchitectureError:
        return frozenset()


def _architecture(data: Any) -> Architecture | None:
    try:
        return None if data is None else Architecture.from_dict(data)
    except ArchitectureError:
        return None


def _counts(architecture: Architecture | None) -> dict[str, int]:
    """How many of each block there are, by the name that actions use."""
    if architecture is None:
        return {}
    return {
        Action(sign=Sign.REMOVE, kind=kind, stage=place, position=position.source).block: getattr(position, gene)
        for place, position in architecture.positions()
        for kind, gene in GENES.items()
    }


def _worth(row: Mapping[str, Any], source: Source) -> tuple[float, float]:
    """What ranks a removal: score lost per millisecond saved as the search weighs it; a copy: what it costs.

    Of equal weighed values the larger saving comes first, as in the search.
    """
    if (weighed := source.weighed.get((row["round"], row["action"]))) is not None:
        return weighed, -float(row["d_latency_ms"])
    value = _known(row["value"])
    return float(row[f"d_{source.score.name}"]) if value is None else value, 0.0


def _estimate(interval: Mapping[str, float]) -> Estimate:
    return Estimate(mean=interval["mean"], low=interval["low"], high=interval["high"])


def _interval(row: Mapping[str, Any], name: str) -> Estimate | None:
    mean, low, high = (_known(row.get(key)) for key in (name, f"{name}_low", f"{name}_high"))
    return None if mean is None or low is None or high is None else Estimate(mean=mean, low=low, high=high)


def _known(value: Any) -> float | None:
    """A number that is one; infinite bounds stay."""
    return None if value is None or pd.isna(value) or math.isnan(float(value)) else float(value)


def _rows(frame: pd.DataFrame) -> Iterable[dict[str, Any]]:
    return ({str(key): value for key, value in row.items()} for row in frame.to_dict(orient="records"))
