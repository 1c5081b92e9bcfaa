"""Options that `nas latency measure` and `nas latency init` share: the model and the scenario of a table."""

from pathlib import Path
from typing import Annotated

import typer

from latency.backends.registry import BackendName
from latency.blocks.models import Attention
from latency.pricing.scenario import Dtype
from nas.cli.screen.formats import MAX_BATCH, MAX_LATENTS

ModelArgument = Annotated[
    Path, typer.Argument(help="Diffusers pipeline folder, the `unet` folder in it, or sd-1.5, sd-2.1, sdxl")
]
BACKENDS = f"[{'|'.join(BackendName)}|a plugin's]"  # strings, since plugins add to them
MeasuredBackendOption = Annotated[str, typer.Option(help="runtime that is measured", metavar=BACKENDS)]
TableBackendOption = Annotated[str, typer.Option(help="runtime of the table", metavar=BACKENDS)]
BatchOption = Annotated[
    int, typer.Option(min=1, max=MAX_BATCH, help="samples per forward pass; latencies are never rescaled")
]
HeightOption = Annotated[
    int | None, typer.Option(min=1, max=MAX_LATENTS, help="latent height; default: the model's own")
]
WidthOption = Annotated[int | None, typer.Option(min=1, max=MAX_LATENTS, help="latent width; default: the model's own")]
ContextTokensOption = Annotated[
    int | None, typer.Option(min=1, max=MAX_BATCH, help="text tokens; default: the pipeline's tokenizer's, else 77")
]
DtypeOption = Annotated[Dtype, typer.Option(help="of weights and activations")]
AttentionOption = Annotated[
    Attention, typer.Option(help="attention implementation: scaled dot product, or written out in products")
]
MaxCopiesOption = Annotated[
    int, typer.Option(min=0, help="copies per block that a search may make, as its max_copies_per_block")
]
CacheOption = Annotated[
    Path | None, typer.Option(help="folder of exported blocks; default: in the user's cache folder")
]
BaseModelOption = Annotated[str | None, typer.Option(help="name of the model; default: its folder's name")]
