"""The formats that a run can be exported to."""

from enum import StrEnum


class ExportForm(StrEnum):
    """A format; its extra, where it needs one, has the same name."""

    CSV = "csv"
    PARQUET = "parquet"
    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    TRACE_EVENTS = "trace-events"
    OPTUNA = "optuna"
