"""Memory of a worker's captions: each worker holding its own, and all reading what the first has embedded.

    python -m experiments.benchmarks.caption_memory [MODEL] [--captions 16,128,512]

MODEL is a pipeline folder, the bundled one if left out, whose captions are small;
`python -m experiments.random_checkpoint sd-1.5 runs/sd15-random` writes one of SD-1.5's width. No UNet is loaded here.
Every line is a process of its own with one thread, which starts as a worker does and reads every chunk of 8 captions
once. `in memory`: without a folder. `first`: into an empty folder. `next`: from the folder of the first. MB are the
process's own memory (RssAnon) beyond that after the imports: what stays, and the most on the way; both hold the
autoencoder.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from experiments.command import run
from search_spaces.shapes import PIPELINE_DIR

CHUNK_SIZE, LATENT_SIZE = 8, 16


def main(
    model: Annotated[Path, typer.Argument(help="pipeline folder")] = PIPELINE_DIR,
    captions: Annotated[str, typer.Option(help="how many, one line of each kind for each number")] = "16,128,512",
    measured: Annotated[int, typer.Option(hidden=True)] = 0,
    folder: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Print a table, or measure one number of captions and print its figures as JSON."""
    if measured:
        print(json.dumps(measure(model, num=measured, folder=folder)))
        return
    print("| captions | worker | stays, MB | peak, MB | to start, s | all chunks, s |\n|---:|---|---:|---:|---:|---:|")
    for num in map(int, captions.split(",")):
        with tempfile.TemporaryDirectory() as shared:
            for who, options in (("in memory", []), ("first", ["--folder", shared]), ("next", ["--folder", shared])):
                command = [sys.executable, "-m", __spec__.name, str(model), "--measured", str(num), *options]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                told = json.loads(done.stdout.splitlines()[-1])
                cells = f"{told['stays']:.0f} | {told['peak']:.0f} | {told['start']:.1f} | {told['chunks']:.1f}"
                print(f"| {num:,} | {who} | {cells} |", flush=True)
            size = sum(path.stat().st_size for path in Path(shared).rglob("*.safetensors"))
    print(f"the last folder: {size / 2**20:.0f} MB")


def measure(model: Path, *, num: int, folder: Path | None) -> dict[str, float]:
    """Start as a worker does, and read every chunk once."""
    import torch

    from nas.evaluation.captions.known import CaptionFolder
    from nas.evaluation.pictures import Drawer
    from nas.evaluation.setting import ScoreSetting
    from nas.pipelines.model_folder import ModelFolder
    from nas.pipelines.protocol import SamplingProtocol
    from nas.scores.prompts import ValidationSet
    from nas.workers.maker import made_by

    torch.set_num_threads(1)
    before, peak, done = private_mb(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], private_mb())

    watching = threading.Thread(target=watch)
    watching.start()
    began = time.perf_counter()
    texts = [f"picture number {index} of a red circle above a blue square" for index in range(num)]
    setting = ScoreSetting(
        model=ModelFolder(model),
        validation=ValidationSet.from_captions(texts, seed=0, chunk_size=CHUNK_SIZE),
        protocol=SamplingProtocol(),
        latent_shape=(4, LATENT_SIZE, LATENT_SIZE),
        embedded=None if folder is None else CaptionFolder(path=folder, made_by=made_by("cpu")),
    )
    Drawer(setting)
    started = time.perf_counter()
    for chunk in range(setting.validation.num_chunks):
        setting.conditioning(chunk).embeddings.sum()
    ended = time.perf_counter()
    done.set()
    watching.join()
    stays = private_mb() - before
    return {"stays": stays, "peak": peak[0] - before, "start": started - began, "chunks": ended - started}


def private_mb() -> float:
    """The process's own memory."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    run(main)
