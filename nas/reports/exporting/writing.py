"""One door for all formats: a run, a folder, a format."""

from collections.abc import Iterator
from pathlib import Path

from nas.reports.exporting.forms import ExportForm
from nas.reports.exporting.mlflow import write_mlflow
from nas.reports.exporting.optuna import write_optuna
from nas.reports.exporting.tables import write_tables
from nas.reports.exporting.tensorboard import write_tensorboard
from nas.reports.exporting.trace_events import write_trace_events
from nas.runs.run import Run


def write_frames(run: Run, out: Path, /, *, form: ExportForm) -> Iterator[tuple[Path, str]]:
    """Write what a run holds.

    Args:
        run: The run.
        out: Folder; made when there is none.
        form: The format.

    Yields:
        What was written, and what it is, as it is written.

    Raises:
        MissingExtraError: The format's package is not installed.
        StorageError: The disk refuses.
    """
    match form:
        case ExportForm.CSV | ExportForm.PARQUET:
            return write_tables(run, out, suffix=form.value)
        case ExportForm.TENSORBOARD:
            return write_tensorboard(run, out)
        case ExportForm.MLFLOW:
            return write_mlflow(run, out)
        case ExportForm.TRACE_EVENTS:
            return write_trace_events(run, out)
        case ExportForm.OPTUNA:
            return write_optuna(run, out)
