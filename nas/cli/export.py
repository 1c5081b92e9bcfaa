"""`nas export`: what a search found, or any named architecture, as something that loads."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from latency.pricing.scenario import Dtype
from nas.cli.screen.console import Screen, in_one_line
from nas.cli.screen.errors import logged_in, user_errors
from nas.cli.screen.formats import MAX_BATCH
from nas.export.form import ExportForm
from search_spaces.files.durable.places import settled
from search_spaces.files.paths import file_name
from search_spaces.files.user_error import UserError


@user_errors
def export(
    source: Annotated[
        str,
        typer.Argument(
            help="run directory of a finished search, or sample, which is bundled, or RUN/architectures/LABEL.json, "
            "another of its results; or a folder of searches for several devices; or an architecture: "
            "architecture.json, an export, a stock folder, or a name such as bk-sdm-base, ssd-1b, snapfusion-table3 "
            "(`nas space known` lists them)"
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="base model that an architecture is cut out of: its pipeline folder")
    ] = None,
    form: Annotated[
        ExportForm,
        typer.Option(
            help="diffusers: a stock config where one exists, else our UNet class; diffusers-neutral: always a stock "
            "config, removed blocks zeroed; onnx, executorch, coreml: the UNet as one file; spec: the JSON alone"
        ),
    ] = ExportForm.DIFFUSERS,
    out: Annotated[
        Path | None, typer.Option(help="folder to write (default: RUN/export, with another form RUN/export-FORM)")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(help="or: folder in which it gets a name such as shapes_cpu_lat@12.3ms_clip@0.84"),
    ] = None,
    dtype: Annotated[Dtype | None, typer.Option(help="of the weights (default: so that no bit is lost)")] = None,
    variant: Annotated[str | None, typer.Option(help="of the base model's weight files, such as fp16")] = None,
    latency_table: Annotated[Path | None, typer.Option(help="for predictions (default: the run's)")] = None,
    batch: Annotated[
        int, typer.Option(min=1, max=MAX_BATCH, help="pictures per pass, where shapes are fixed (onnx, ...)")
    ] = 1,
    measure: Annotated[bool, typer.Option(help="measure the latency here, against the base model's")] = True,
) -> None:
    """Write an architecture in a form that loads, reload it in a clean process, compare outputs, count and measure.

    A failed check writes nothing. Pipeline folders work with `nas generate` and in diffusers; the table says whether
    they need `import search_spaces.searched_unet` first.

    Examples: nas export runs/demo
              nas export bk-sdm-small --model models/sd15 --out models/bk-sdm-small
    """
    from nas.export.before_after import draw_before_after
    from nas.export.export_run import place_in_run
    from nas.export.source import source_of_run, source_of_spec
    from nas.export.write import export as write
    from nas.pipelines.source import find_model
    from nas.runs.bundled.naming import is_bundled, named_run
    from nas.runs.directory import is_run, run_of_result

    if out is not None and into is not None:
        raise UserError("give `--out` or `--into`, not both")
    if out is not None:
        settled(out)
    console = Screen()
    path = named_run(source)
    if (path / "devices.json").is_file():
        from nas.export.named import export_named
        from nas.sweeps.devices import device_runs

        place = out or path / "export"
        with console.status("writing, and loading each architecture by its name"):
            names = export_named(device_runs(path), out=place)
        console.sentence(
            in_one_line(f"{place}: one file of weights; load_unet(folder, name=...) of {', '.join(names)}")
        )
        return
    run = run_of_result(path) or path
    if out is None and into is None and is_run(run):
        out = place_in_run(path, form)
    with logged_in(run), console.status("loading the base model"):
        if is_run(run):
            if model is not None or variant is not None:
                raise UserError(f"{path} is a run, whose config names its base model; leave out --model and --variant")
            found = source_of_run(path, table=latency_table)
        elif model is None:
            raise UserError(
                f"{source} is no run directory; give one, or, for a spec, a folder or a known name, also `--model`, "
                "the base model that it is cut out of"
            )
        else:
            found = source_of_spec(source, model=find_model(model, variant=variant), table=latency_table)
    place = out or (into or Path("exports")) / file_name(str(found.spec["name"]))
    with logged_in(run), console.status("writing, and checking in a clean process"):
        report = write(found, out=place, form=form, dtype=dtype and str(dtype), batch=batch, measure=measure)
    keeps = is_run(path) and not is_bundled(path)
    pictures = path / "before_after.png" if keeps and form is ExportForm.DIFFUSERS else None
    if pictures is not None:
        draw_before_after(found, export=place, path=pictures)
    table = Table(title=in_one_line(f"{report.name} -> {place}"))
    for name in ("", "base", "found"):
        table.add_column(name, justify="right" if name else "left")
    for row in report.rows():
        table.add_row(*row)
    console.print(table)
    for note in report.notes():
        console.sentence(note)
    if pictures is not None:
        console.sentence(f"pictures before and after: {pictures}")
    if found.spec.get("target_met") is False:
        target_ms = found.spec.get("target_latency_ms", "unknown")
        target = f"{target_ms:.3f}" if isinstance(target_ms, float) else str(target_ms)
        console.sentence(
            f"THE SEARCH MISSED ITS TARGET of {target} ms: this is the nearest that it found", style="yellow"
        )
