"""A run as an Optuna study in a journal, for optuna-dashboard: an architecture per trial, latency and score its values.

The parameters of a trial are the blocks that each position has; a copy is one more.
"""

import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

from latency.exporters.extras import load_extra
from nas.runs.frames.rounds import is_of_round, scored_with_weights
from nas.runs.run import Run
from nas.runs.trace import time_of
from search_spaces.actions import parse_action
from search_spaces.architecture import Architecture
from search_spaces.files.durable.disk import storage_errors
from search_spaces.files.user_error import UserError


def write_optuna(run: Run, out: Path, /) -> Iterator[tuple[Path, str]]:
    """Write `journal.log`, a study that is named as the run's directory; one that is there gets another study's name.

    Raises:
        MissingExtraError: Optuna is not installed.
        UserError: The journal holds a study of this name.
        StorageError: The disk refuses.
    """
    optuna = load_extra("optuna", extra="optuna")
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path = out / "journal.log"
    if path.exists():
        raise UserError(f"{path} is there already, and a journal only grows; give another --out, or delete it")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(
            study_name=run.path.resolve().name,
            storage=JournalStorage(JournalFileBackend(str(path))),
            directions=["minimize", "maximize" if run.higher_is_better else "minimize"],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # names of the two values
            study.set_metric_names(["latency_ms", run.score])
        trials = list(_trials(run, optuna))
        study.add_trials(trials)
    yield path, f"{len(trials):,} trials; optuna-dashboard {path}"


def _trials(run: Run, optuna: Any) -> Iterator[Any]:
    """A trial per scored architecture."""
    architectures: dict[int, Architecture] = {}
    latencies: dict[int, float] = {}
    most, target_ms = _most(run), run.start.get("target_latency_ms")
    told = set[tuple[str, str | None]]()
    for event, weights in scored_with_weights(run.events):
        number, key = event["round"], (event["arch_id"], weights)
        try:
            if event["action"] is None:
                architecture, ms = _own_architecture(event), event["predicted_latency_ms"]
                if is_of_round(event):  # what the round's actions start from
                    architectures[number], latencies[number] = architecture, ms
                    if key in told:  # the best of an earlier batch
                        continue
            else:
                architecture = parse_action(event["action"]).apply(architectures[number])
                ms = latencies[number] - event["d_latency_ms"]
        except (KeyError, UserError):  # of another family, or its round is damaged
            continue
        told.add(key)
        if not (isfinite(ms) and isfinite(event["clip"]["mean"])):  # which Optuna takes for a failed trial
            continue
        params = counts(architecture)
        trial = optuna.trial.create_trial(
            params=params,
            distributions={
                name: optuna.distributions.IntDistribution(0, max(most.get(name, 1), num))
                for name, num in params.items()
            },
            values=[ms, event["clip"]["mean"]],
            user_attrs={"round": number, "action": event["action"] or "", "arch_id": event["arch_id"]}
            | {"num_prompts": event["clip"]["num_prompts"]},
            constraints=None if target_ms is None else {"latency_ms": ms - target_ms},
        )
        if (time := time_of(event)) is not None:
            trial.datetime_start = trial.datetime_complete = datetime.fromtimestamp(time)
        yield trial


def counts(architecture: Architecture, /) -> dict[str, int]:
    """Blocks by position and kind, such as {"resnet[mid,0]": 1}."""
    return {
        f"{kind}[{stage.place},{position.source}]": num
        for stage in architecture.stages
        for position in stage.positions
        for kind, num in (("resnet", position.resnets), ("cross_attention", position.cross_attentions))
    }


def _most(run: Run) -> Mapping[str, int]:
    """The most blocks that any round's architecture has at each position."""
    most: dict[str, int] = {}
    for event in run.events:
        if event["event"] == "evaluation" and event["action"] is None:
            try:
                architecture = _own_architecture(event)
            except UserError:  # of another family
                continue
            for name, num in counts(architecture).items():
                most[name] = max(most.get(name, 1), num)
    return most


def _own_architecture(event: Mapping[str, Any], /) -> Architecture:
    """The architecture of a round.

    Raises:
        ArchitectureError: It is no UNet's, or damaged.
    """
    return Architecture.from_dict({"schema_version": 1, "stages": event.get("stages")})
