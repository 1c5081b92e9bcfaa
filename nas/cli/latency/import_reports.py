"""`nas latency import` and `validate`: a table from another device's reports, and what is wrong with a table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latency.trust.interpolation import Fill
from nas.cli.latency.validate import print_findings
from nas.cli.screen.console import say
from nas.cli.screen.errors import user_errors
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from latency.importers import Importer

AUTO = "auto"


@user_errors
def import_(
    manifest: Annotated[Path, typer.Argument(help="`manifest.json` of `nas latency init`, or its folder")],
    out: Annotated[Path, typer.Option(help="table to write (JSON); replaced only when everything is in order")],
    device_name: Annotated[str, typer.Option(help='What people call the device: "Galaxy S24".')],
    runtime_version: Annotated[str, typer.Option(help="version of the runtime that ran the files")],
    reports: Annotated[
        list[Path] | None, typer.Argument(help="profilers' reports; default: the CSV beside the manifest")
    ] = None,
    runtime_name: Annotated[str, typer.Option(help="name of the runtime; default: as the format says")] = "",
    runtime_option: Annotated[
        list[str] | None, typer.Option(help="setting that changes speed, such as `threads=1`; may be repeated")
    ] = None,
    soc: Annotated[str, typer.Option(help="processor or system on chip")] = "",
    compute_unit: Annotated[str, typer.Option(help="cpu, gpu or npu; default: as the reports say")] = "",
    os: Annotated[str, typer.Option(help="operating system")] = "",
    format: Annotated[
        str, typer.Option(help="format of the reports: auto, or one of those that `nas plugins` lists")
    ] = AUTO,
    map: Annotated[
        Path | None, typer.Option(help="CSV with the columns report,file for reports that are not named by file")
    ] = None,
    fill: Annotated[
        Fill, typer.Option(help="what to do about blocks without a report; a fitted row is marked")
    ] = Fill.NOTHING,
    allow_estimated: Annotated[
        bool, typer.Option("--allow-estimated", help="take numbers that a tool made up from others")
    ] = False,
    allow_unchecked: Annotated[
        bool, typer.Option("--allow-unchecked", help="do without whole models that have no report")
    ] = False,
    allow_mismatch: Annotated[
        bool,
        typer.Option(
            "--allow-mismatch",
            help="write the table even if blocks do not sum to 0.9 .. 1.1 of the whole, or no device has such times",
        ),
    ] = False,
    without_model_files: Annotated[
        bool, typer.Option("--without-model-files", help="the model files no longer lie beside the manifest")
    ] = False,
) -> None:
    """Make a table from what profilers measured on another device.

    Every report is about one model file of the manifest: it is called after the file, or names it inside. Units are
    those of the format. Everything that is wrong is said at once, and no partial table is written.

    Example: nas latency import s24/ reports/*.json --device-name "Galaxy S24" --runtime-version 1.32 --out s24.json
    """
    from latency import Device, LatencyTableError, table_text, write_table
    from latency.documents.store import check_table_place
    from latency.importers import read_files
    from latency.kits.importing import import_table
    from latency.kits.manifest_file import check_files, read_manifest
    from latency.kits.matching import read_map
    from latency.trust.speed import speed_of
    from latency.trust.validation import validate as validated

    if not out.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {out.parent} to write {out.name} to; make it first")
    check_table_place(out)
    importer = _importer(format)
    options = tuple(_option(text) for text in runtime_option or ())
    listed, folder = read_manifest(manifest), manifest if manifest.is_dir() else manifest.parent
    read = read_files(reports or [folder / listed.results])
    names = read_map(*read_files([map])) if map is not None else {}
    wrong = []
    if not without_model_files:
        try:
            check_files(listed, folder)
        except LatencyTableError as error:
            wrong.append(f"{error} (or say `--without-model-files`)")
    try:
        imported = import_table(
            listed,
            read,
            device=Device(name=device_name, soc=soc, compute_unit=compute_unit, os=os),
            runtime_name=runtime_name,
            runtime_version=runtime_version,
            runtime_options=options,
            importer=importer,
            names=names,
            allow_estimated=allow_estimated,
            allow_unchecked=allow_unchecked,
            fill=fill,
        )
    except LatencyTableError as error:
        wrong.append(str(error))
    if wrong:
        raise LatencyTableError("no table was written:\n" + "\n".join(wrong))
    speed = speed_of(imported.table)
    if speed is not None and speed.flaw and not allow_mismatch:
        raise LatencyTableError(
            f"no table was written: {speed}; {speed.flaw}, or allow the mismatch (`--allow-mismatch`)"
        )
    write_table(imported.table, out, allow_mismatch=allow_mismatch)
    say(f"wrote {out}: {len(imported.table.rows)} rows from {len(read)} reports")
    for fit in imported.filled.fits:
        num = sum(row.signature.kind is fit.kind for row in imported.filled.rows)
        say(
            f"interpolated {num} rows of {fit.kind} from {fit.num_rows}: leaving one out, the others predict it with "
            f"an error of {fit.mean_error:.1%}, {fit.worst_error:.1%} at worst"
        )
    print_findings(validated(table_text(imported.table).encode()))


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UserError(f"`--runtime-option` must be name=value, but got {text!r}")
    return name, value


def _importer(name: str) -> "Importer | None":
    from latency.importers import importer_door

    return None if name == AUTO else importer_door().find(name)
