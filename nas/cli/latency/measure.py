"""`nas latency measure`: a table of this machine."""

from pathlib import Path
from typing import Annotated

import typer

from latency.backends.registry import BackendName, make_backend
from latency.blocks.models import Attention, latency_model
from latency.pricing.scenario import Dtype
from nas.cli.latency.options import (
    AttentionOption,
    BaseModelOption,
    BatchOption,
    CacheOption,
    ContextTokensOption,
    DtypeOption,
    HeightOption,
    MaxCopiesOption,
    MeasuredBackendOption,
    ModelArgument,
    WidthOption,
)
from nas.cli.latency.progress import latency_progress
from nas.cli.latency.sentences import check_lines
from nas.cli.screen.console import say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import MAX_SEED
from search_spaces.files.durable.places import check_writable
from search_spaces.unets.space import DEFAULT_MAX_COPIES


@user_errors
def measure(
    model: ModelArgument,
    out: Annotated[Path, typer.Option(help="table to write (JSON); replaced only when the measurement succeeds")],
    backend: MeasuredBackendOption = BackendName.TORCH_EAGER,
    batch: BatchOption = 1,
    height: HeightOption = None,
    width: WidthOption = None,
    context_tokens: ContextTokensOption = None,
    dtype: DtypeOption = Dtype.FLOAT32,
    attention: AttentionOption = Attention.SDPA,
    max_copies: MaxCopiesOption = DEFAULT_MAX_COPIES,
    min_rounds: Annotated[int, typer.Option(min=1, help="rounds before stopping early")] = 10,
    max_rounds: Annotated[int, typer.Option(min=1, help="rounds at most")] = 60,
    subnetworks: Annotated[
        int, typer.Option(min=0, help="random sub-networks to measure against their predictions")
    ] = 8,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="of the inputs, the order and the sub-networks")] = 0,
    threads: Annotated[
        int, typer.Option(min=1, help="threads of the runtime; more than one is timed by the wall clock")
    ] = 1,
    provider: Annotated[
        str | None, typer.Option(help="ONNX Runtime's execution provider or OpenVINO's device; default: the CPU")
    ] = None,
    cache: CacheOption = None,
    device_name: Annotated[str | None, typer.Option(help="name of this machine; default: its processor or GPU")] = None,
    base_model: BaseModelOption = None,
    allow_mismatch: Annotated[
        bool,
        typer.Option("--allow-mismatch", help="write the table even if blocks do not sum to 0.9 .. 1.1 of the whole"),
    ] = False,
) -> None:
    """Measure every block that a search over MODEL can need, on this machine.

    Each round visits every block and the whole UNet in random order, with a reference kernel around every sample, so
    that a busy machine does not spoil the table. It stops when all medians are known to 2 %, or after --max-rounds.
    Finished rounds are kept beside the table: the same command goes on from them, after whatever stopped it.

    Example: nas latency measure models/sd15 --backend onnxruntime --out sd15_ort.json --device-name "my laptop"
    """
    import platform

    from latency import LatencyTableError, write_table
    from latency.backends.host import processor_of
    from latency.documents.store import check_table_place
    from latency.measuring.measure import measure_table
    from latency.timing.interleaving import MeasureSettings
    from latency.trust.calibration import distrust

    if not out.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {out.parent} to write {out.name} to; make it first")
    samples_file = out.with_suffix(".samples.jsonl")
    check_table_place(out)
    check_writable(samples_file)
    settings = MeasureSettings(min_rounds=min_rounds, max_rounds=max_rounds, seed=seed)
    chosen = latency_model(model)
    runtime = make_backend(backend, threads=threads, provider=provider, cache=cache)
    processor = processor_of(runtime.torch_device)
    with latency_progress("Measuring") as progress:
        table = measure_table(
            chosen.supernet(max_copies=max_copies, attention=attention, dtype=dtype, device=runtime.torch_device),
            backend=runtime,
            base_model=base_model or chosen.name,
            device_name=device_name or processor,
            soc=processor,
            os=f"{platform.system()} {platform.machine()}",
            batch=batch,
            height=height,
            width=width,
            context_tokens=context_tokens or chosen.context_tokens,
            num_subnetworks=subnetworks,
            settings=settings,
            samples_file=samples_file,
            on_prepare=progress.on_prepare,
            on_round=progress.on_round,
        )
    try:
        write_table(table, out, allow_mismatch=allow_mismatch)
    except LatencyTableError as error:
        raise LatencyTableError(
            f"{error}. Nothing is lost: the samples are in {samples_file}, and the same command writes the table from "
            "them with `--allow-mismatch`, or measures on with a larger `--min-rounds`; delete them to measure afresh"
        ) from error
    if progress.num_rounds == 0:
        say(f"nothing was measured: {samples_file} holds enough rounds; delete it to measure afresh")
    say(f"wrote {out}: {len(table.rows)} rows from {table.protocol.rounds} rounds, kept in {samples_file.name}")
    for line in check_lines(table):
        say(line)
    if (why := distrust(table)) is not None:
        say(f"warning: {why}", err=True)
