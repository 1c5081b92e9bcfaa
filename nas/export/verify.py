"""Clean-process check of an export, run by `nas.export.write` as `python -P -m nas.export.verify REQUEST`.

Loads the folder as a stranger would, compares outputs with the recorded ones, has torch count what the UNet computes,
and measures it against the base UNet in interleaved rounds. Prints one JSON line.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from latency.backends.torch_eager import TorchEager
from latency.blocks.modules import Inputs, whole_model
from latency.exporters.extras import load_extra
from latency.timing.estimator import corrected, summarised
from latency.timing.interleaving import MeasureSettings, interleave
from nas.export.form import ExportForm
from nas.export.forms import MOST_PROBED, flat_unet
from nas.pipelines.folder import load_pipeline
from nas.pipelines.model_folder import ModelFolder
from nas.references.base_model import ROOM_FOR_COPIES
from search_spaces.folders.loading import read_context_tokens, read_unet_config, unet_class
from search_spaces.unets.diffusers_config import TOLD_WEIGHT, space_from_config
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS
from search_spaces.unets.space import UNetSpace

PROBE: Final = "verification.safetensors"  # seeded inputs and the output that the reloaded UNet must give
PROBED_TOKENS: Final = 8
MEASURED_MS: Final = 60_000.0  # about as long as measuring may take
MOST_ROUNDS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRequest:
    """What to check; paths as text, so that it is JSON.

    Attributes:
        folder: The export.
        form: Its form.
        base: Pipeline folder of the base model.
        variant: Of both folders' weight files.
        measure: Whether to measure latencies.
        inputs: Names of the recorded inputs in the order in which the UNet takes them.
    """

    folder: str
    form: ExportForm
    base: str
    variant: str | None
    measure: bool
    inputs: list[str]


def verify(request: VerificationRequest, /) -> dict[str, Any]:
    """Largest output difference to the recorded probe, counts by torch, and measured latencies in ms where wanted."""
    folder = Path(request.folder)
    stored = load_file(folder / PROBE)  # in the order of its names
    output, recorded = stored["output"], {name: stored[name] for name in request.inputs}
    if not request.form.is_folder_of_diffusers:
        suffix, run = _RUNNERS[request.form]
        result = run(folder / f"unet{suffix}", recorded)
        return {"max_difference": (result.float() - output).abs().max().item()}
    base = ModelFolder(Path(request.base), variant=request.variant)
    space = space_from_config(base.unet_config(), max_copies=ROOM_FOR_COPIES)
    tokens = read_context_tokens(base.path) or DEFAULT_CONTEXT_TOKENS
    unet = load_pipeline(ModelFolder(folder, variant=request.variant)).unet.eval()
    flat = flat_unet(unet, space, batch=len(output), context_tokens=PROBED_TOKENS, most=MOST_PROBED)
    with torch.inference_mode():
        result = flat(*(recorded[name] for name in flat.inputs))
    answer: dict[str, Any] = {
        "max_difference": (result - output).abs().max().item(),
        "num_params": sum(
            each.numel() for name, each in unet.named_parameters() if name != TOLD_WEIGHT
        ),  # as spaces do
        "num_macs": counted_macs(folder, space, context_tokens=tokens),
        "unet_class": type(unet).__name__,
    }
    if request.measure:
        unets = {"base": base.load_unet(), "found": unet}
        latencies = measure_pair(unets, space=space, context_tokens=tokens)
        answer |= {"base_latency_ms": latencies["base"], "latency_ms": latencies["found"]}
    return answer


@torch.no_grad()
def counted_macs(folder: Path, space: UNetSpace, /, *, context_tokens: int) -> int:
    """Half the operations that torch counts in a forward pass at batch 1 and the model's own size.

    On the meta device, with attention written out: torch does not know every fused kernel.
    """
    config = read_unet_config(folder)
    with torch.device("meta"):
        unet = unet_class(folder).from_config(config)
        unet.set_attn_processor(AttnProcessor())
        inputs = Inputs(unet, batch=1, context_tokens=context_tokens, seed=0)
        height, width = space.sample_size
        call = whole_model(unet, inputs, space=space, height=height, width=width)
        with FlopCounterMode(display=False) as counter:
            call.module(*call.args, **call.kwargs)
    return int(counter.get_total_flops() // 2)


def measure_pair(
    unets: dict[str, UNet2DConditionModel], /, *, space: UNetSpace, context_tokens: int
) -> dict[str, float]:
    """Median milliseconds of one forward pass at batch 1, by the protocol of latency tables.

    Small UNets get 40 rounds, large ones as many as fit into a minute, but three.
    """
    backend, calls = TorchEager(), {}
    height, width = space.sample_size
    with backend.session():
        for name, unet in unets.items():
            inputs = Inputs(unet, batch=1, context_tokens=context_tokens, seed=0)
            calls[name] = backend.prepare(whole_model(unet, inputs, space=space, height=height, width=width))
        once_ms = sum(backend.clock.elapsed_ms(call) for call in calls.values())
        rounds = int(min(MOST_ROUNDS, max(3, MEASURED_MS / once_ms)))
        samples = interleave(
            calls,
            reference=backend.reference(),
            clock=backend.clock,
            settings=MeasureSettings(min_rounds=min(15, rounds), max_rounds=rounds, warm_ups=1),
        )
    return {name: summarised(values).median_ms for name, values in corrected(samples).items()}


def _run_onnx(file: Path, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    session = load_extra("onnxruntime", extra="onnx").InferenceSession(file, providers=["CPUExecutionProvider"])
    read = {node.name: inputs[node.name].numpy() for node in session.get_inputs()}
    return torch.from_numpy(session.run(None, read)[0])


def _run_executorch(file: Path, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    runtime = load_extra("executorch.runtime", extra="executorch").Runtime.get()
    output: torch.Tensor = runtime.load_program(file).load_method("forward").execute(list(inputs.values()))[0]
    return output


Runner: TypeAlias = Callable[[Path, dict[str, torch.Tensor]], torch.Tensor]
_RUNNERS: Final[dict[ExportForm, tuple[str, Runner]]] = {
    ExportForm.ONNX: (".onnx", _run_onnx),
    ExportForm.EXECUTORCH: (".pte", _run_executorch),
}


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    print(json.dumps(verify(VerificationRequest(**wanted | {"form": ExportForm(wanted["form"])}))))
