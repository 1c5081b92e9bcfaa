"""CLIP scores of pipeline folders by scheduler and steps, on the same held-out captions with the same noise.

    python -m experiments.distillation.compare shapes runs/steps/pipeline --num 128 --steps 8 16 --guidance 2.0

One row a folder, scheduler and number of steps: mean score of 100 times the cosine with a 95 % interval over captions,
and the difference to the first row, caption by caption. One core; about 9 ms a UNet pass of the bundled model.
"""

import argparse
import json
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.source import find_model
from nas.scores.captions import read_captions
from nas.scores.prompts import ValidationSet
from nas.settings import read
from search_spaces.shapes import CAPTIONS_FILE, OPEN_CLIP_DIR

SCHEDULERS: Final = ("DDIMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler")
CHUNK: Final = 32
Z: Final = 1.96  # of a normal interval of 95 %


def scores(folder: str, /, *, scheduler: str, steps: int, guidance: float, num: int) -> npt.NDArray[np.float64]:
    """The CLIP score of each caption's picture."""
    model = find_model(folder)
    validation = ValidationSet.from_captions(read_captions(CAPTIONS_FILE, num=512), seed=0, chunk_size=CHUNK)
    unet, config = model.load_unet(), model.unet_config()
    drawing = {"num_steps": steps, "guidance_scale": guidance, "scheduler": scheduler}
    setting = ScoreSetting(
        model=model,
        validation=ValidationSet(prompts=validation.prompts[:num], chunk_size=CHUNK),
        protocol=read(SamplingProtocol, drawing, name="what is drawn"),
        latent_shape=(config["in_channels"], config["sample_size"], config["sample_size"]),
    )
    judge, drawer = ClipJudge(setting, model=str(OPEN_CLIP_DIR)), Drawer(setting)
    judge.start(unet)
    found: list[float] = []
    for chunk in range(setting.validation.num_chunks):
        found += judge.judge(drawer.pictures(unet, chunk=chunk), chunk=chunk)
    return np.array(found)


def main() -> None:
    """Print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--num", type=int, default=128)
    parser.add_argument("--steps", type=int, nargs="+", default=[8])
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--schedulers", nargs="+", default=list(SCHEDULERS[:2]))
    parser.add_argument("--out", type=Path, help="a line of JSON for each row, with the scores")
    given = parser.parse_args()
    torch.set_num_threads(1)
    first: npt.NDArray[np.float64] | None = None
    for folder in given.folders:
        for scheduler in given.schedulers:
            for steps in given.steps:
                found = scores(folder, scheduler=scheduler, steps=steps, guidance=given.guidance, num=given.num)
                first = found if first is None else first
                half, change = Z * found.std(ddof=1) / len(found) ** 0.5, found - first
                half_change = Z * change.std(ddof=1) / len(found) ** 0.5
                print(
                    f"{folder}  {scheduler} {steps:2d} steps: {found.mean():.3f} +- {half:.3f}"
                    f"  against the first {change.mean():+.3f} +- {half_change:.3f}",
                    flush=True,
                )
                if given.out is not None:
                    row = {"folder": folder, "scheduler": scheduler, "steps": steps, "guidance": given.guidance}
                    with given.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row | {"scores": found.tolist()}) + "\n")


if __name__ == "__main__":
    main()
