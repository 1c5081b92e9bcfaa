"""A run as one of MLflow, in a store of its own: settings as parameters, rounds and training steps as metrics.

Nothing goes over a network: the store is an SQLite file in the folder, whatever the environment says of a server.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Final

from latency.exporters.extras import load_extra
from nas.runs.run import Run
from search_spaces.files.durable.disk import storage_errors

EXPERIMENT: Final = "snapfusion-nas"
_MOST: Final = 500  # characters that MLflow takes of a parameter's value
_MOST_OF_NAME: Final = 250
_BATCH: Final = 1000  # metrics that it takes at once


def write_mlflow(run: Run, out: Path, /) -> Iterator[tuple[Path, str]]:
    """Add a run to `mlflow.db`, with its pictures, spec and config as artifacts in `artifacts/`.

    Raises:
        MissingExtraError: MLflow is not installed.
        StorageError: The disk refuses.
    """
    load_extra("mlflow", extra="mlflow")
    for name in ("mlflow", "alembic"):  # which tell of every table that they make
        logging.getLogger(name).setLevel(logging.WARNING)
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        place = f"sqlite:///{(out / 'mlflow.db').resolve()}"
        client = MlflowClient(tracking_uri=place, registry_uri=place)
        known = client.get_experiment_by_name(EXPERIMENT)
        experiment = (
            known.experiment_id
            if known is not None
            else client.create_experiment(EXPERIMENT, artifact_location=(out / "artifacts").resolve().as_uri())
        )
        made = client.create_run(experiment, run_name=run.path.name, tags={"state": run.state, "score": run.score})
        run_id = made.info.run_id
        metrics = [Metric(name, value, time, step) for name, value, time, step in _metrics(run)]
        params = [Param(_speakable(name), str(value)[:_MOST]) for name, value in _flat(run.config)]
        for at in range(0, max(len(metrics), len(params)), _BATCH):
            client.log_batch(run_id, metrics=metrics[at : at + _BATCH], params=params[at : at + 100] if not at else ())
        for at in range(100, len(params), 100):
            client.log_batch(run_id, params=params[at : at + 100])
        for name in ("config.yaml", "architecture.json", "trace.jsonl"):
            if (run.path / name).is_file():
                client.log_artifact(run_id, str(run.path / name))
        if (run.path / "images").is_dir():
            client.log_artifacts(run_id, str(run.path / "images"), artifact_path="images")
        client.set_terminated(run_id, status={"finished": "FINISHED", "running": "RUNNING"}.get(run.state, "KILLED"))
    yield out / "mlflow.db", f"{len(metrics):,} metrics; mlflow server --backend-store-uri {place}"


def _metrics(run: Run) -> Iterator[tuple[str, float, int, int]]:
    """Name, value, milliseconds since 1970, step."""
    time = round(1000 * (run.last_time or 0.0))
    names = ("predicted_latency_ms", "num_params", run.score, f"{run.score}_low", f"{run.score}_high")
    for row in run.rounds().to_dict(orient="records"):
        yield from ((name, float(row[name]), time, int(row["round"])) for name in names if isfinite(row[name]))
    for row in run.training().to_dict(orient="records"):
        yield "training_loss", float(row["loss"]), time, int(row["global_step"])


def _speakable(name: str) -> str:
    """A name of which MLflow takes every character, and no more of them than it takes."""
    return re.sub(r"[^\w./: -]", "_", name, flags=re.ASCII)[:_MOST_OF_NAME] or "_"


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by dotted key."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
