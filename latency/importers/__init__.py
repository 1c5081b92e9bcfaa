"""Readers of profilers' reports, one file per format: a report in, one number per model file out."""

from latency.importers.reading import Reading, ReportError
from latency.importers.registry import IMPORTERS, Importer, detect, importer_door, read_report
from latency.importers.report import Report, read_files

__all__ = [
    "IMPORTERS",
    "Importer",
    "Reading",
    "Report",
    "ReportError",
    "detect",
    "importer_door",
    "read_files",
    "read_report",
]
