"""`nas latency calibrate`: a table's predictions against whole models that were measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latency.backends.registry import BackendName, make_backend
from latency.blocks.models import Attention, latency_model
from latency.pricing.scenario import Dtype
from nas.cli.latency.options import MaxCopiesOption, TableBackendOption
from nas.cli.latency.progress import latency_progress
from nas.cli.latency.sentences import check_lines
from nas.cli.screen.console import say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import MAX_SEED
from search_spaces.files.durable.places import check_writable
from search_spaces.files.user_error import UserError
from search_spaces.unets.space import DEFAULT_MAX_COPIES

if TYPE_CHECKING:
    from latency import LatencyTable
    from search_spaces import Architecture, UNetSpace


@user_errors
def calibrate(
    table: Annotated[Path, typer.Argument(help="latency table (JSON); its check is replaced, its rows stay")],
    model: Annotated[
        Path | None, typer.Option(help="model of the table: a folder, or sd-1.5, sd-2.1, sdxl; to measure here")
    ] = None,
    backend: TableBackendOption = BackendName.TORCH_EAGER,
    subnetworks: Annotated[int, typer.Option(min=1, help="random sub-networks to measure")] = 30,
    rounds: Annotated[int, typer.Option(min=2, help="rounds of measuring")] = 10,
    attention: Annotated[Attention, typer.Option(help="as the table was measured")] = Attention.SDPA,
    max_copies: MaxCopiesOption = DEFAULT_MAX_COPIES,
    threads: Annotated[int, typer.Option(min=1, help="as the table was measured")] = 1,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="of the sub-networks and the order")] = 1,
    cache: Annotated[Path | None, typer.Option(help="folder of exported models")] = None,
    measured: Annotated[
        list[Path] | None,
        typer.Option(help="reports of whole models that another device measured; instead of --model; repeatable"),
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="`manifest.json` that the reports are about")] = None,
    allow_estimated: Annotated[
        bool, typer.Option("--allow-estimated", help="take numbers that a tool made up from others")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="draw predicted against measured to this picture")] = None,
) -> None:
    """Compare a table's predictions with whole models, and store in the table how far to trust it.

    Measures random sub-networks on this machine (--model), one at a time beside the base model, or reads what another
    device measured (--measured with --manifest). Use other sub-networks than the table was made with: the seed differs
    by default. Finished sub-networks are kept beside the table: the same command goes on from them.

    Example: nas latency calibrate sd15_cpu.json --model models/sd15 --plot calibration.png
    """
    from latency import read_table, write_table
    from latency.figures.calibration import calibration_figure
    from latency.figures.canvas import check_picture, write_figure
    from latency.trust.calibration import calibrated, calibration_of, distrust

    if (model is None) == (not measured):
        raise UserError("give `--model` to measure here, or `--measured` with what another device measured")
    if bool(measured) != (manifest is not None):
        raise UserError("`--measured` and `--manifest` go together: the manifest says what each report is about")
    if plot is not None:
        check_picture(plot)
    check_writable(table)
    known = read_table(table)
    if model is not None:
        space, times = _measured_here(
            known, table, model, backend, subnetworks, rounds, attention, max_copies, threads, seed, cache
        )
    else:
        assert manifest is not None
        space, times = _measured_elsewhere(known, manifest, measured or [], allow_estimated=allow_estimated)
    calibration = calibration_of(known, times, space=space)
    checked = calibrated(known, calibration)
    write_table(checked, table, allow_mismatch=True)  # its rows are what they were
    for line in check_lines(checked):
        say(line)
    worst = calibration.worst
    say(
        f"worst: {worst.predicted_ms:.3f} ms predicted, {worst.measured_ms:.3f} ms measured "
        f"({worst.architecture.num_resnets} ResNets, {worst.architecture.num_cross_attentions} cross-attentions)"
    )
    if (why := distrust(checked)) is not None:
        say(f"warning: {why}", err=True)
    if plot is not None:
        write_figure(calibration_figure(calibration, device=known.device, runtime=known.runtime), plot)
        say(f"drew {plot}", err=True)


def _measured_here(
    table: "LatencyTable",
    file: Path,
    model: Path,
    backend: str,
    subnetworks: int,
    rounds: int,
    attention: Attention,
    max_copies: int,
    threads: int,
    seed: int,
    cache: Path | None,
) -> "tuple[UNetSpace, dict[Architecture, float]]":
    from latency.measuring.calibrate import WHOLE_SAMPLE_MS, measure_models
    from latency.timing.interleaving import MeasureSettings

    runtime = make_backend(backend, threads=threads, provider=None, cache=cache)
    supernet = latency_model(model).supernet(
        max_copies=max_copies, attention=attention, dtype=Dtype(table.workload.dtype), device=runtime.torch_device
    )
    log_file = file.with_suffix(".calibration.jsonl")
    with latency_progress("Calibrating") as progress:
        times = measure_models(
            supernet,
            table,
            backend=runtime,
            num_subnetworks=subnetworks,
            settings=MeasureSettings(min_rounds=rounds, max_rounds=rounds, min_sample_ms=WHOLE_SAMPLE_MS, seed=seed),
            log_file=log_file,
            on_prepare=progress.on_prepare,
            on_round=progress.on_round,
        )
    if progress.num_rounds == 0:
        say(f"nothing was measured: {log_file} holds enough rounds; delete it to measure afresh")
    return supernet.space, times


def _measured_elsewhere(
    table: "LatencyTable", manifest: Path, reports: list[Path], *, allow_estimated: bool
) -> "tuple[UNetSpace, dict[Architecture, float]]":
    from latency.importers import read_files
    from latency.kits.importing import measured_elsewhere
    from latency.kits.manifest_file import read_manifest

    listed = read_manifest(manifest)
    times = measured_elsewhere(listed, read_files(reports), table=table, allow_estimated=allow_estimated)
    return listed.space, times
