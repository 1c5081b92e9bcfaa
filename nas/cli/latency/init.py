"""`nas latency init`: model files for a device that this machine cannot reach."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    ModelArgument,
    WidthOption,
)
from nas.cli.latency.progress import latency_progress
from nas.cli.screen.console import say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import MAX_SEED
from search_spaces.files.user_error import UserError
from search_spaces.unets.space import DEFAULT_MAX_COPIES

if TYPE_CHECKING:
    from latency.exporters.formats import Exporter

FORMATS = ("onnx", "executorch", "coreml", "litert")


@user_errors
def init(
    model: ModelArgument,
    out: Annotated[Path, typer.Option(help="folder to write; every format gets a folder of its own in it")],
    formats: Annotated[
        str, typer.Option(help=f"Formats of the model files, with commas between: {', '.join(FORMATS)}.")
    ] = "onnx",
    batch: BatchOption = 1,
    height: HeightOption = None,
    width: WidthOption = None,
    context_tokens: ContextTokensOption = None,
    dtype: DtypeOption = Dtype.FLOAT32,
    attention: AttentionOption = Attention.SDPA,
    max_copies: MaxCopiesOption = DEFAULT_MAX_COPIES,
    subnetworks: Annotated[
        int, typer.Option(min=0, help="random sub-networks to check predictions with; each is a whole model's file")
    ] = 4,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="of the sub-networks")] = 0,
    cache: CacheOption = None,
    base_model: BaseModelOption = None,
) -> None:
    """Write one model file for every block of MODEL, for a device to time: phones, NPUs, GPUs elsewhere.

    Beside them: whole models to check the table with, a manifest, a CSV to fill in, and a page that says what to run
    on the device with each tool. `nas latency import` then makes the table.

    Example: nas latency init sd-1.5 --out s24 --formats onnx,executorch --attention eager
    """
    from latency.blocks.tasks import workload_of
    from latency.exporters.cache import ExportCache, default_cache_folder
    from latency.kits.kit import write_kit
    from latency.kits.manifest_file import MANIFEST_NAME
    from search_spaces.files.durable.places import settled_file

    exporters = [_exporter(name.strip()) for name in formats.split(",")]
    for exporter in exporters:
        settled_file(out / exporter.format / MANIFEST_NAME)
    chosen = latency_model(model)
    written = list[str]()
    with latency_progress("Exporting") as progress:
        supernet = chosen.supernet(max_copies=max_copies, attention=attention, dtype=dtype, device="cpu")
        workload = workload_of(
            supernet,
            base_model=base_model or chosen.name,
            batch=batch,
            height=height,
            width=width,
            context_tokens=context_tokens or chosen.context_tokens,
        )
        for exporter in exporters:
            folder = out / exporter.format
            manifest = write_kit(
                supernet,
                folder,
                workload=workload,
                exporter=exporter,
                cache=ExportCache(cache or default_cache_folder()),
                num_subnetworks=subnetworks,
                seed=seed,
                on_prepare=progress.on_prepare,
            )
            num_blocks, num_whole = len(manifest.blocks), len(manifest.whole_models)
            written.append(
                f"wrote {folder}: {num_blocks} blocks and {num_whole} whole models; read {folder / 'README.md'}"
            )
    for line in written:
        say(line)


def _exporter(name: str) -> "Exporter":
    match name:
        case "onnx":
            from latency.exporters.to_onnx import OnnxExporter

            return OnnxExporter()
        case "executorch":
            from latency.exporters.to_executorch import ExecutorchExporter

            return ExecutorchExporter()
        case "coreml":
            from latency.exporters.to_coreml import CoremlExporter

            return CoremlExporter()
        case "litert":
            from latency.exporters.to_litert import LitertExporter

            return LitertExporter()
    raise UserError(f"`--formats` must be some of {', '.join(FORMATS)}, with commas between, but got {name!r}")
