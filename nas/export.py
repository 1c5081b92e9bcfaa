"""Export: the found UNet as a pipeline folder, checked by reloading it in a clean process.

A folder is written beside its place and renamed only when the check has passed, so that there is never half an
export. Weights are exactly the supernet's of the blocks that were kept, from the checkpoint of the round that was
chosen.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import yaml
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from nas.config import ExperimentConfig
from nas.durable import sweep_beside, whole, write_text
from nas.evaluation.validation_set import read_captions
from nas.generate import generate_pictures
from nas.pictures import write_grid
from nas.pipeline_folder import PARTS, folder_digest
from nas.run import RunDirectory
from nas.spec import read_spec
from search_spaces.architecture import Architecture
from search_spaces.diffusers_config import space_from_config, stock_config
from search_spaces.loading import load_unet, read_unet_config
from search_spaces.searched_unet import SearchedUNet
from search_spaces.supernet import CopyStart, Supernet
from search_spaces.unet_space import UNetSpace

PROBE: Final = "verification.safetensors"  # seeded input and the output that the reloaded UNet must give
TOLERANCE: Final = 1e-5


class ExportError(ValueError):
    """An export that did not pass its check, or a place that it may not overwrite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What the clean process found.

    Attributes:
        form: How diffusers loads it: "stock config", or "SearchedUNet" with one import.
        max_difference: Largest difference of outputs to the supernet's, for the same input.
        spec: The run's spec.
        base_latency_ms: Measured for the base UNet on this machine.
        latency_ms: Measured for the exported one, in the same interleaved rounds.
    """

    form: str
    max_difference: float
    spec: dict[str, Any]
    base_latency_ms: float
    latency_ms: float

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """(what, base, found) for a table."""
        spec = self.spec
        yield "predicted latency, ms", f"{spec['base_latency_ms']:.3f}", f"{spec['predicted_latency_ms']:.3f}"
        yield "measured latency here, ms", f"{self.base_latency_ms:.3f}", f"{self.latency_ms:.3f}"
        yield "CLIP score", f"{spec['base_clip']:.4f}", f"{spec['clip']:.4f}"
        yield "parameters", f"{spec['base']['num_params']:,}", f"{spec['num_params']:,}"
        yield "reloaded, largest difference", "", f"{self.max_difference:.1e}"
        yield "loads as", "stock config", self.form


def export_run(run_path: Path, /, *, out: Path) -> ExportReport:
    """Export the architecture that a search found.

    Args:
        run_path: Directory of a finished run.
        out: Pipeline folder to write; must not exist, or be an earlier export of the same architecture.

    Raises:
        ValueError: The run is unfinished, the place is taken, or the check failed.
    """
    run = RunDirectory(run_path)
    config = ExperimentConfig.model_validate(yaml.safe_load(run.read_config()), strict=False)
    architecture, spec = read_spec(run.spec_path)
    _check_place(out, architecture)
    if folder_digest(config.model) != spec["digests"]["model"]:
        raise ExportError(f"{config.model} has changed since the search in {run_path}; restore it, or search again")
    unet = load_unet(config.model)
    space = space_from_config(read_unet_config(config.model), max_copies=config.search.max_copies_per_block)
    supernet = Supernet(unet, space=space, copy_start=CopyStart(config.search.copy_start))
    weights = run.read_weights(spec["round"])
    if weights is None:
        raise ExportError(
            f"the weights of round {spec['round']} in {run_path} are missing or damaged; "
            "the search's own command trains them again"
        )
    supernet.load_weights(weights)
    found = supernet.materialise(architecture)
    sweep_beside(out)
    with whole(out) as part:
        part.mkdir()
        form = _write_folder(part, found, architecture, space=space, base=config.model)
        shutil.copy(run.spec_path, part / "architecture.json")
        save_file(_probe(found, space), part / PROBE)
        checked = _verify(part, base=config.model)
        report = ExportReport(form=form, spec=spec, **checked)
        if not report.max_difference <= TOLERANCE:
            raise ExportError(
                f"the reloaded UNet differs from the supernet by {report.max_difference:.2e}, more than "
                f"{TOLERANCE:.0e}; nothing was written to {out}"
            )
        (part / PROBE).unlink()
        write_text(part / "export.json", json.dumps({"form": form, **checked}, indent=2) + "\n")
        shutil.rmtree(out, ignore_errors=True)
    _draw_before_after(run.path / "before_after.png", config=config, export=out, spec=spec)
    return report


def _draw_before_after(path: Path, /, *, config: ExperimentConfig, export: Path, spec: dict[str, Any]) -> None:
    """The first prompts as the base model and as the exported one draw them, with the same noise."""
    prompts = read_captions(config.validation.captions, num=min(8, config.validation.num_prompts))
    pictures = [
        generate_pictures(
            folder,
            prompts=prompts,
            seed=config.seed,
            num_steps=config.sampling.num_steps,
            guidance_scale=config.sampling.guidance_scale,
        )
        for folder in (config.model, export)
    ]
    title = (
        f"above: base, {spec['base_latency_ms']:.2f} ms, CLIP {spec['base_clip']:.3f}    "
        f"below: found, {spec['predicted_latency_ms']:.2f} ms, CLIP {spec['clip']:.3f}"
    )
    write_grid(path, np.concatenate(pictures), captions=prompts * 2, num_columns=len(prompts), title=title)


def _check_place(out: Path, architecture: Architecture) -> None:
    if out.exists() and any(out.iterdir()):
        spec = out / "architecture.json"
        if not spec.is_file() or read_spec(spec)[0] != architecture:
            raise ExportError(f"{out} exists and is not an export of this architecture; give another --out")


def _write_folder(
    folder: Path, unet: UNet2DConditionModel, architecture: Architecture, /, *, space: UNetSpace, base: Path
) -> str:
    """Write the pipeline folder; the form that its UNet takes."""
    base_config = read_unet_config(base)
    stock = stock_config(architecture, space=space, base_config=base_config)
    index = json.loads((base / "model_index.json").read_text(encoding="utf-8"))
    if stock.config is not None:
        stock_unet = UNet2DConditionModel.from_config(stock.config)
        stock_unet.load_state_dict(unet.state_dict())
        stock_unet.save_pretrained(folder / "unet")
        index["unet"], form = ["diffusers", "UNet2DConditionModel"], "stock config"
    else:
        SearchedUNet.from_supernet(unet, architecture=architecture, base_config=base_config).save_pretrained(
            folder / "unet"
        )
        index["unet"], form = ["search_spaces.searched_unet", "SearchedUNet"], "SearchedUNet"
    for name in PARTS:
        if name != "unet":
            shutil.copytree(base / name, folder / name)
    write_text(folder / "model_index.json", json.dumps(index, indent=2) + "\n")
    return form


@torch.inference_mode()
def _probe(unet: UNet2DConditionModel, space: UNetSpace) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(2, space.in_channels, *space.sample_size, generator=generator)
    context = torch.randn(2, 8, space.stages[0].cross_attention_dim, generator=generator)
    output = unet(sample, 500, encoder_hidden_states=context).sample
    return {"sample": sample, "context": context, "output": output.contiguous()}


def _verify(folder: Path, *, base: Path) -> dict[str, float]:
    """Reload and measure in a process that knows nothing of this one."""
    command = [sys.executable, "-m", "nas.verify_export", str(folder), str(base)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ExportError(f"the exported folder does not load in a clean process:\n{done.stderr.strip()[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result
