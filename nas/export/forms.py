"""Writing an architecture into a folder in each of the export's forms, with what a check of it needs."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import UNet2DConditionModel

from latency.blocks.modules import Inputs, whole_model
from latency.exporters.flat import FlatModule
from latency.exporters.formats import Exporter
from nas.export.form import ExportForm
from nas.export.source import ExportError, ExportSource, context_tokens_of
from nas.pipelines.model_folder import ModelFolder
from search_spaces.architecture import Architecture
from search_spaces.files.durable.writing import write_text
from search_spaces.files.strict_json import read_json_object
from search_spaces.folders.loading import SEARCHED
from search_spaces.searched_unet import SearchedUNet
from search_spaces.stock_unet import neutral_unet
from search_spaces.supernet import Supernet
from search_spaces.unets.diffusers_config import TOLD, stock_config
from search_spaces.unets.space import UNetSpace

PICKLES: Final = ("*.bin", "*.ckpt", "*.pt", "*.pth", "*.pkl", "*.msgpack", "*.h5", "*.py")
MOST_PROBED: Final = 16  # latent pixels of a probe's side: the check is about weights and structure, not about size
INTERNAL: Final = ("_class_name", "_diffusers_version", "_name_or_path", "architecture")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Written:
    """What stands in a folder.

    Attributes:
        loads_as: How to load it, in words.
        built: The architecture whose structure the UNet has: the exported one, or its stock hull.
        neutral: Modules that add nothing.
        probe: Inputs by name and the `output` that the file must give for them; None where no check can run here.
    """

    loads_as: str
    built: Architecture
    neutral: tuple[str, ...] = ()
    probe: Mapping[str, torch.Tensor] | None = None


def write_form(folder: Path, source: ExportSource, /, *, form: ExportForm, dtype: torch.dtype, batch: int) -> Written:
    """Write one form of an export.

    Args:
        folder: Exists and is empty.
        source: What to write.
        form: In which form.
        dtype: Of the weights.
        batch: Samples per forward pass, in forms whose shapes are fixed.

    Raises:
        ArchitectureError: Neutral blocks were asked for and no stock config holds the architecture.
        MissingExtraError: The converter is not installed.
    """
    if form is ExportForm.SPEC:
        return Written(loads_as="spec", built=source.architecture)
    if form.is_folder_of_diffusers:
        return write_pipeline(
            folder,
            source.supernet,
            architecture=source.architecture,
            base_config=source.model.unet_config(),
            model=source.model,
            neutral=form is ExportForm.NEUTRAL,
            dtype=dtype,
        )
    return _write_file(folder, source, exporter=_exporter(form), dtype=dtype, batch=batch)


def write_pipeline(
    folder: Path,
    supernet: Supernet,
    /,
    *,
    architecture: Architecture,
    base_config: Mapping[str, Any],
    model: ModelFolder,
    neutral: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Written:
    """Write a pipeline folder: an architecture of a supernet, and everything of a base model's pipeline around it.

    Args:
        folder: Exists and is empty.
        supernet: Has the weights.
        architecture: What is written.
        base_config: Config of the `UNet2DConditionModel` that the supernet is of.
        model: Gives the other parts.
        neutral: Whether blocks that add nothing may stand in for what no stock config states.
        dtype: Of the weights.

    Raises:
        ArchitectureError: Neutral blocks were asked for and no stock config holds the architecture.
    """
    space = supernet.space
    base_config = {k: v for k, v in base_config.items() if k not in INTERNAL}
    built, blocks = architecture, tuple[str, ...]()
    stock = stock_config(architecture, space=space, base_config=base_config)
    if neutral and stock.config is None:
        found = neutral_unet(supernet, architecture)
        unet, built, blocks = found.unet, found.hull, found.neutral
        stock = stock_config(built, space=space, base_config=base_config)
    else:
        unet = supernet.materialise(architecture)
    if stock.config is not None:
        with torch.device("meta"):
            written = UNet2DConditionModel.from_config(stock.config)
        written.load_state_dict(unet.state_dict(), assign=True)
        entry, loads_as = ["diffusers", "UNet2DConditionModel"], "stock config"
        if blocks:
            loads_as = f"stock config with {len(blocks)} neutral blocks"
    else:
        written = SearchedUNet.from_supernet(unet, architecture=architecture, base_config=base_config)
        entry, loads_as = ["search_spaces.searched_unet", SEARCHED], SEARCHED
    with_own_tensors(written, dtype).save_pretrained(folder / "unet", variant=model.variant)
    copy_other_parts(folder, model, unet_entry=entry)
    wanted = with_own_tensors(supernet.materialise(architecture), dtype).float()
    return Written(
        loads_as=loads_as, built=built, neutral=blocks, probe=probe(wanted, space, batch=2, most=MOST_PROBED)
    )


def with_own_tensors(unet: UNet2DConditionModel, dtype: torch.dtype) -> UNet2DConditionModel:
    """A UNet that shared its parameters, for inference, with tensors of its own; memory is shared where the type is."""
    unet.load_state_dict({name: weight.to(dtype) for name, weight in unet.state_dict().items()}, assign=True)
    return unet.eval().requires_grad_(False)


def copy_other_parts(folder: Path, model: ModelFolder, /, *, unet_entry: list[str]) -> None:
    """Everything of the base pipeline but its UNet, without pickles and code."""
    for name in model.index.parts:
        if name != "unet":
            shutil.copytree(model.part(name), folder / name, ignore=shutil.ignore_patterns(*PICKLES))
    index = read_json_object(model.path / "model_index.json")
    write_text(folder / "model_index.json", json.dumps(index | {"unet": unet_entry}, indent=2) + "\n")


def _write_file(folder: Path, source: ExportSource, *, exporter: Exporter, dtype: torch.dtype, batch: int) -> Written:
    if source.model.unet_config().get(TOLD) is not None:
        raise ExportError(
            f"the UNet in {source.model.path} is told its guidance (`{TOLD}`), for which files have no input: they "
            "would draw without guidance; export it with `--form diffusers`"
        )
    unet = with_own_tensors(source.supernet.materialise(source.architecture), dtype)
    flat = flat_unet(unet, source.supernet.space, batch=batch, context_tokens=context_tokens_of(source))
    recorded = {**flat.inputs, "output": _output(flat)}
    exporter.write(flat, flat.inputs, folder / f"unet{exporter.suffix}")
    converter = exporter.converter
    options = ", ".join(f"{name} {value}" for name, value in converter.options)
    return Written(
        loads_as=f"{exporter.format} by {converter.name} {converter.version} ({options})",
        built=source.architecture,
        probe=recorded,
    )


def flat_unet(
    unet: UNet2DConditionModel, space: UNetSpace, /, *, batch: int, context_tokens: int, most: int | None = None
) -> FlatModule:
    """A UNet taking seeded inputs, of the model's latent size but at most `most` on each side, one by one."""
    height, width = (side if most is None else min(side, most) for side in space.sample_size)
    inputs = Inputs(unet, batch=batch, context_tokens=context_tokens, seed=0)
    return FlatModule(whole_model(unet, inputs, space=space, height=height, width=width)).eval()


def probe(unet: UNet2DConditionModel, space: UNetSpace, /, *, batch: int, most: int) -> dict[str, torch.Tensor]:
    """Seeded inputs by name, and the `output` that a UNet gives for them."""
    flat = flat_unet(unet, space, batch=batch, context_tokens=8, most=most)
    return {**flat.inputs, "output": _output(flat)}


@torch.inference_mode()
def _output(flat: FlatModule) -> torch.Tensor:
    output: torch.Tensor = flat(*flat.inputs.values()).float().contiguous()
    return output


def _exporter(form: ExportForm) -> Exporter:
    """The converter of a form; its optional packages are imported here and not before."""
    from latency.exporters.to_coreml import CoremlExporter
    from latency.exporters.to_executorch import ExecutorchExporter
    from latency.exporters.to_onnx import OnnxExporter

    makers: dict[ExportForm, Callable[[], Any]] = {
        ExportForm.ONNX: OnnxExporter,
        ExportForm.EXECUTORCH: ExecutorchExporter,
        ExportForm.COREML: CoremlExporter,
    }
    exporter: Exporter = makers[form]()
    return exporter
