"""What tests of exports share: the export of a run, and what stands in a folder."""

from pathlib import Path

from nas.export.report import ExportReport
from nas.export.source import source_of_run
from nas.export.write import export


def export_run(run: Path, /, *, out: Path, measure: bool = False) -> ExportReport:
    """Export what a run found."""
    return export(source_of_run(run), out=out, measure=measure)


def content(folder: Path, /) -> dict[str, bytes]:
    """Every file below a folder, by its path there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
