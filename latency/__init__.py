"""What it costs: latency tables, predictions from them, and reading and writing them.

Importing this package does not import torch; `latency.measuring.measure` and `latency.backends` do.
"""

from latency.backends.backend import Backend
from latency.documents.shipped import find_table, read_latency_table, shipped_tables
from latency.documents.store import LatencyTableWarning, csv_text, read_table, table_text, write_csv, write_table
from latency.pricing.fit import WorkloadMismatchError, check_workload
from latency.pricing.prediction import BlockLatency, Guidance, ImageLatency, LatencyPrediction
from latency.pricing.row import TableRow
from latency.pricing.scenario import (
    Check,
    Device,
    EndToEnd,
    LatencyTableError,
    Method,
    Protocol,
    Runtime,
    SourceFile,
    Workload,
)
from latency.pricing.source import Latency, LatencySource, Prices, Scenario
from latency.pricing.table import REST, LatencyTable, MissingRowsError

__all__ = [
    "REST",
    "Backend",
    "BlockLatency",
    "Check",
    "Device",
    "EndToEnd",
    "Guidance",
    "ImageLatency",
    "Latency",
    "LatencyPrediction",
    "LatencySource",
    "LatencyTable",
    "LatencyTableError",
    "LatencyTableWarning",
    "Method",
    "MissingRowsError",
    "Prices",
    "Protocol",
    "Runtime",
    "Scenario",
    "SourceFile",
    "TableRow",
    "Workload",
    "WorkloadMismatchError",
    "check_workload",
    "csv_text",
    "find_table",
    "read_latency_table",
    "read_table",
    "shipped_tables",
    "table_text",
    "write_csv",
    "write_table",
]
