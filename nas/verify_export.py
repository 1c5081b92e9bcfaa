"""Clean-process check of an export, run by `nas.export` as `python -m nas.verify_export EXPORT BASE`.

Loads the folder through diffusers' own pipeline, compares outputs with the recorded ones, and measures the exported
and the base UNet against each other in interleaved rounds. Prints one JSON line.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from latency.backends.torch_eager import TorchEager
from latency.blocks import Inputs, whole_model
from latency.estimator import corrected, summarised
from latency.interleaving import MeasureSettings, interleave
from nas.export import PROBE
from nas.pipeline_folder import load_pipeline
from search_spaces.diffusers_config import space_from_config
from search_spaces.loading import load_unet, read_context_tokens, read_unet_config


def verify(folder: Path, base: Path, /) -> dict[str, float]:
    """Largest output difference to the recorded probe, and the measured latency of both UNets in ms."""
    pipeline = load_pipeline(folder)
    unet, probe = pipeline.unet.eval(), load_file(folder / PROBE)
    with torch.inference_mode():
        output = unet(probe["sample"], 500, encoder_hidden_states=probe["context"]).sample
    latencies = measure_pair({"base": load_unet(base), "found": unet}, base=base)
    return {
        "max_difference": (output - probe["output"]).abs().max().item(),
        "base_latency_ms": latencies["base"],
        "latency_ms": latencies["found"],
    }


def measure_pair(unets: dict[str, UNet2DConditionModel], /, *, base: Path) -> dict[str, float]:
    """Median milliseconds of one forward pass at batch 1, by the protocol of latency tables."""
    space, backend = space_from_config(read_unet_config(base)), TorchEager()
    height, width = space.sample_size
    calls = {}
    with backend.session():
        for name, unet in unets.items():
            inputs = Inputs(unet, batch=1, context_tokens=read_context_tokens(base) or 77, seed=0)
            calls[name] = backend.prepare(whole_model(unet, inputs, space=space, height=height, width=width))
        samples = interleave(
            calls,
            reference=backend.reference(),
            clock=backend.clock,
            settings=MeasureSettings(min_rounds=15, max_rounds=40),
        )
    return {name: summarised(values).median_ms for name, values in corrected(samples).items()}


if __name__ == "__main__":
    print(json.dumps(verify(Path(sys.argv[1]), Path(sys.argv[2]))))
