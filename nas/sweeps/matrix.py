"""What architectures that were found for several devices cost on each other's, and which serves all of them best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Final

import pandas as pd

from nas.config.experiment import Experiment
from nas.config.loading import stored_config
from nas.config.resolving import resolve
from nas.runs.run import Run, open_run
from nas.sweeps.devices import BEST_FOR_ALL, device_runs
from search_spaces.architecture import Architecture
from search_spaces.files.paths import local_path
from search_spaces.files.user_error import UserError

_SCHEMA: Final = 1  # of the genes in a trace


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDevice:
    """An architecture on a device.

    Attributes:
        found_for: The device that it was found for, or `best_for_all`.
        device: The device that it runs on.
        latency_ms: Predicted there.
        target_share: `latency_ms` as a share of that device's target: above 1 = missed.
        score: Its selection score.
        loss: Score lost against what was found for that device, in the score's unit; positive = worse.
    """

    found_for: str
    device: str
    latency_ms: float
    target_share: float
    score: float
    loss: float

    @property
    def meets(self) -> bool:
        """Whether it meets the target there."""
        return self.target_share <= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMatrix:
    """Architectures of several devices on all devices.

    Attributes:
        devices: In order.
        targets_ms: Of each device.
        architectures: By the device that each was found for; `best_for_all` is the last.
        cells: Every architecture on every device.
        score: Name of the score.
        minimax: Of all architectures that any of the searches scored as a round's own, the one whose worst share of a
            target is least; of those that meet every target, the one with the best score.
        notices: Which traces are damaged or missing, so that `minimax` is of what the others say.
    """

    devices: tuple[str, ...]
    targets_ms: Mapping[str, float]
    architectures: Mapping[str, Architecture]
    cells: tuple[OnDevice, ...]
    score: str
    minimax: "Minimax"
    notices: tuple[str, ...] = ()

    def frame(self, values: str = "latency_ms", /) -> pd.DataFrame:
        """A matrix: a row per architecture, a column per device.

        Args:
            values: A field of `OnDevice`.
        """
        frame = pd.DataFrame(
            [{"found_for": c.found_for, "device": c.device, values: getattr(c, values)} for c in self.cells]
        )
        return frame.pivot_table(index="found_for", columns="device", values=values, sort=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "score": self.score,
            "targets_ms": dict(self.targets_ms),
            "architectures": {name: each.arch_id for name, each in self.architectures.items()},
            "cells": [{name: getattr(cell, name) for name in (*OnDevice.__slots__, "meets")} for cell in self.cells],
            "minimax": {
                "arch_id": self.minimax.architecture.arch_id,
                "worst_target_share": self.minimax.worst_share,
                "score": self.minimax.score,
                "search": self.minimax.search,
                "round": self.minimax.round,
                "latency_ms": dict(self.minimax.latency_ms),
            },
            "notices": list(self.notices),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimax:
    """The architecture that serves all devices best.

    Attributes:
        architecture: The architecture.
        score: Its selection score.
        worst_share: Its largest share of a device's target.
        latency_ms: On each device.
        search: In which search it was scored.
        round: In which round of it.
    """

    architecture: Architecture
    score: float
    worst_share: float
    latency_ms: Mapping[str, float]
    search: str
    round: int


def open_devices(folder: str | PathLike[str], /) -> DeviceMatrix:
    """What the searches for several devices found, on each other's devices.

    Args:
        folder: As `search_devices` made it; every search has ended.

    Raises:
        UserError: No such folder, a search in it has not ended yet, or no trace in it holds a score.
    """
    paths = device_runs(local_path(folder))
    runs = {name: open_run(path) for name, path in paths.items()}
    found = {name: run.architecture for name, run in runs.items()}
    devices = tuple(name for name in runs if name != BEST_FOR_ALL)
    experiments = {name: resolve(stored_config(paths[name] / "config.yaml"), run=paths[name]) for name in devices}
    scores = {name: float(run.spec["clip"]) for name, run in runs.items()}
    sign = 1 if runs[devices[0]].higher_is_better else -1
    cells = []
    for name, architecture in found.items():
        for device in devices:
            ms, target_ms = _on(experiments[device], architecture)
            cells.append(
                OnDevice(
                    found_for=name,
                    device=device,
                    latency_ms=ms,
                    target_share=ms / target_ms,
                    score=scores[name],
                    loss=sign * (scores[device] - scores[name]),
                )
            )
    return DeviceMatrix(
        devices=devices,
        targets_ms={device: experiments[device].problem.target_latency_ms for device in devices},
        architectures=found,
        cells=tuple(cells),
        score=runs[devices[0]].score,
        minimax=best_for_all_of(_candidates(runs, experiments), higher_is_better=sign > 0),
        notices=_notices(runs),
    )


def _on(experiment: Experiment, architecture: Architecture) -> tuple[float, float]:
    """Milliseconds of an architecture on a device, and its target there."""
    return experiment.price_ms(architecture), experiment.problem.target_latency_ms


def best_for_all_of(candidates: Sequence[Minimax], /, *, higher_is_better: bool) -> Minimax:
    """Of those that meet every target the one with the best score, else the one whose worst share is least."""
    sign = 1 if higher_is_better else -1
    if meeting := [each for each in candidates if each.worst_share <= 1]:
        return max(meeting, key=lambda each: sign * each.score)
    return min(candidates, key=lambda each: each.worst_share)


def _candidates(runs: Mapping[str, Run], experiments: Mapping[str, Experiment]) -> list[Minimax]:
    candidates = []
    for name, run in runs.items():
        for event in _own(run.events):
            architecture = Architecture.from_dict({"schema_version": _SCHEMA, "stages": event["stages"]})
            priced = {device: _on(experiment, architecture) for device, experiment in experiments.items()}
            candidates.append(
                Minimax(
                    architecture=architecture,
                    score=float(event["clip"]["mean"]),
                    worst_share=max(ms / target for ms, target in priced.values()),
                    latency_ms={device: ms for device, (ms, _) in priced.items()},
                    search=name,
                    round=event["round"],
                )
            )
    if not candidates:
        told = "; ".join(_notices(runs))
        raise UserError(
            f"the searches for several devices must have scored something, but no trace says so ({told}); restore one, "
            "or search anew into another folder"
        )
    return candidates


def _notices(runs: Mapping[str, Run]) -> tuple[str, ...]:
    """What is wrong with the traces of runs, with the run's name."""
    return tuple(f"{name}: {notice}" for name, run in runs.items() for notice in run.trace_notices)


def _own(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Evaluations of rounds' own architectures."""
    return [
        event for event in events if event["event"] == "evaluation" and event["action"] is None and "stages" in event
    ]
