"""Memory of a supernet: beside the plain UNet, and while it loads, switches, materialises and is written.

    python -m experiments.benchmarks.memory [MODEL]

MODEL is a pipeline folder, by default the bundled one, which is small beside what else a process holds; for true
figures `python -m experiments.random_checkpoint sd-1.5 runs/sd15-random` writes one of SD-1.5's size. Every line is a
process of its own. Resident memory, beyond that of the imports and in units of the UNet's weights: what stays, and the
peak on the way, which a folder whose pages are read through the file cache counts as well.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from experiments.command import run
from search_spaces.shapes import PIPELINE_DIR

STEPS = ("plain", "supernet", "switch", "materialise", "write")
NUM_SWITCHES = 50


def main(model: Annotated[Path, typer.Argument(help="pipeline folder")] = PIPELINE_DIR, step: str = "") -> None:
    """Print a table, or measure one step and print its figures as JSON."""
    if step:
        print(json.dumps(measure(model, step)))
        return
    print("| up to | stays, of the weights | peak, of the weights |\n|---|---:|---:|")
    for each in STEPS:
        command = [sys.executable, "-m", "experiments.benchmarks.memory", str(model), "--step", each]
        report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        stays, peak, size = (report[key] for key in ("stays", "peak", "weights"))
        print(f"| {each} | {stays / size:.3f} | {peak / size:.3f} |", flush=True)
    print(f"weights: {size / 2**30:.2f} GiB")


def measure(model: Path, step: str) -> dict[str, int]:
    """Bytes beyond those of the imports after all steps up to one."""
    from search_spaces import space_from_config
    from search_spaces.folders.loading import load_unet, read_unet_config
    from search_spaces.searched_unet import SearchedUNet
    from search_spaces.supernet import Supernet

    before = psutil.Process().memory_info().rss
    unet, config = load_unet(model), read_unet_config(model)
    space = space_from_config(config)
    todo = STEPS[: STEPS.index(step) + 1]
    touch(unet)
    if "supernet" in todo:
        supernet = Supernet(unet, space=space)
    if "switch" in todo:
        rng, architecture = random.Random(0), space.base
        for _ in range(NUM_SWITCHES):
            removals = space.removals(architecture)
            architecture = rng.choice(removals).apply(architecture) if removals else space.base
            supernet.switch(architecture)
        supernet.switch(space.base)
        architecture = rng.choice(space.removals(space.base)).apply(space.base)
    if "materialise" in todo:
        found = supernet.materialise(architecture)
        touch(found)
    if "write" in todo:
        with tempfile.TemporaryDirectory(dir=model.parent) as folder:
            SearchedUNet.from_supernet(found, architecture=architecture, base_config=config).save_pretrained(folder)
    return {
        "stays": psutil.Process().memory_info().rss - before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before,
        "weights": sum(parameter.nbytes for parameter in unet.parameters()),
    }


def touch(unet: Any) -> None:
    """Read every weight: they are mapped from the file, and a page counts once it was read."""
    for parameter in unet.parameters():
        parameter.sum()


if __name__ == "__main__":
    run(main)
