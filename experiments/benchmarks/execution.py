"""What the execution settings bring on this machine: UNet passes of the bundled model under each, in paired rounds.

    python -m experiments.benchmarks.execution [DEVICE]

Prints CPU time (on a GPU: wall time) per picture and pass, the ratio to plain float32, and what the first call cost,
which is where compiling happens.
"""

import statistics
import sys
import time

import torch

from latency.pricing.scenario import Dtype
from nas.pipelines.computing.execution import Execution
from search_spaces.folders.loading import load_unet
from search_spaces.shapes import PIPELINE_DIR

NUM_PICTURES, NUM_ROUNDS, CONTEXT_TOKENS = 8, 9, 16


def main(device: str) -> None:
    """Measure in turn and print."""
    torch.set_num_threads(1)
    clock = time.process_time if device == "cpu" else time.perf_counter
    ways = {
        "float32": Execution(device=device),
        "channels_last": Execution(device=device, channels_last=True),
        "bfloat16": Execution(device=device, precision=Dtype.BFLOAT16),
        "bfloat16, channels_last": Execution(device=device, precision=Dtype.BFLOAT16, channels_last=True),
        "compile_blocks": Execution(device=device, compile_blocks=True),
    }
    unets = {}
    for name, execution in ways.items():
        unets[name] = execution.place(load_unet(PIPELINE_DIR).requires_grad_(False))
        execution.compile(unets[name])
    width = unets["float32"].config.cross_attention_dim
    latents = torch.randn(NUM_PICTURES, 4, 16, 16, device=device)
    context = torch.randn(NUM_PICTURES, CONTEXT_TOKENS, width, device=device)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(NUM_ROUNDS):
        for name, execution in ways.items():
            start = clock()
            with torch.inference_mode(), execution.autocast():
                unets[name](latents, 500, encoder_hidden_states=context)
            if device != "cpu":
                torch.cuda.synchronize()
            seconds[name].append(clock() - start)
    for name, values in seconds.items():
        ratios = [value / plain for value, plain in zip(values[2:], seconds["float32"][2:], strict=True)]
        ms = 1000 * statistics.median(values[2:]) / NUM_PICTURES
        print(
            f"{name:24} {ms:8.2f} ms per picture and pass, {statistics.median(ratios):.2f} of float32; "
            f"first call {values[0]:.1f} s"
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
