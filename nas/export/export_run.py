"""One call that exports: from a finished run to something that loads, checked in a clean process."""

from os import PathLike
from pathlib import Path

from latency.pricing.scenario import Dtype
from nas.export.form import ExportForm
from nas.export.report import ExportReport
from nas.export.source import source_of_run
from nas.export.write import export
from nas.runs.bundled.naming import is_bundled, named_run
from nas.runs.directory import run_of_result
from nas.runs.run import Run
from search_spaces.choices import chosen
from search_spaces.files.paths import local_path
from search_spaces.files.user_error import UserError


def export_run(
    run: Run | str | PathLike[str],
    /,
    *,
    out: str | PathLike[str] | None = None,
    form: ExportForm | str = ExportForm.DIFFUSERS,
    dtype: str | None = None,
    measure: bool = True,
) -> ExportReport:
    """Export what a search found.

    Args:
        run: A finished run, its directory, or the name of a bundled one; or the spec of another of its results,
            `RUN/architectures/LABEL.json`.
        out: Folder to write; None = `export` in the run, or `export-FORM` for another form than diffusers' own;
            `export-LABEL` for another result. A bundled run needs one.
        form: "diffusers", "diffusers-neutral", "onnx", "executorch" or "coreml".
        dtype: Of the weights, such as "float16"; None = the narrowest that loses nothing.
        measure: Whether to measure latencies here.

    Returns:
        What the export found out about itself: differences, parameters, latencies.

    Raises:
        ValueError: No such form, an unfinished run, no `out` for a bundled one, or a check that failed; nothing was
            written.
    """
    path = run.path if isinstance(run, Run) else named_run(run)
    form = chosen(ExportForm, form, name="form")
    if dtype is not None:
        dtype = chosen(Dtype, dtype, name="dtype")
    place = place_in_run(path, form) if out is None else local_path(out)
    return export(source_of_run(path), out=place, form=form, dtype=dtype, measure=measure)


def place_in_run(path: Path, form: ExportForm, /) -> Path:
    """Where an export of a run, or of another of its results, stands unless somebody says where.

    Args:
        path: The run, or the spec of the result.
        form: Of the export.

    Raises:
        UserError: The run is bundled.
    """
    run = run_of_result(path)
    if is_bundled(run or path):
        raise UserError(
            f"{run or path} comes with the installation, and nothing is written there; say where the export goes: "
            "`out=FOLDER`, or `--out FOLDER` on the command line"
        )
    parts = ["export", *([] if run is None else [path.stem]), *([] if form is ExportForm.DIFFUSERS else [form])]
    return (run or path) / "-".join(parts)
