"""What tests of exports share: the export of a run."""

from pathlib import Path

from nas.export.report import ExportReport
from nas.export.source import source_of_run
from nas.export.write import export


def export_run(run: Path, /, *, out: Path, measure: bool = False) -> ExportReport:
    """Export what a run found."""
    return export(source_of_run(run), out=out, measure=measure)
