"""What every single removal costs the small model: a table of dCLIP with confidence intervals (the paper's Figure 5).

python -m experiments.shapes.removal_table --unet search_spaces/shapes/pipeline/unet --out runs/shapes/robust.csv
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich.progress import track

from experiments.shapes.evaluate import load, setting_of
from experiments.shapes.train_clip import held_out_scenes
from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.evaluator import Evaluator
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.intervals import mean_interval, paired_loss
from search_spaces.architecture import Architecture
from search_spaces.shapes import OPEN_CLIP_DIR
from search_spaces.supernet import Supernet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unet", type=Path, required=True, help="UNet folder or training checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="CSV file")
    parser.add_argument("--num", type=int, default=128, help="held-out captions")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--guidance", type=float, default=3.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    scenes = held_out_scenes(np.random.default_rng(11), args.num)
    setting = setting_of(scenes, SamplingProtocol(num_steps=args.steps, guidance_scale=args.guidance))
    supernet = Supernet(load(args.unet))
    clip = ClipJudge(setting, model=str(OPEN_CLIP_DIR))
    evaluator = Evaluator(setting, score=clip, reference=supernet.unet)
    space = supernet.space

    def scores(architecture: Architecture) -> list[float]:
        with supernet.switched(architecture) as unet:
            chunks = range(setting.validation.num_chunks)
            return [score for chunk in chunks for score in evaluator.evaluate(unet, chunk=chunk).scores]

    base = scores(space.base)
    rows = []
    for action in track(space.removals(space.base), description="removals"):
        lost = paired_loss(base, scores(action.apply(space.base)))
        rows.append(
            {
                "stage": space.paper_stage(action.blocks[0].stage),
                "block": str(action)[1:],
                "d_clip": lost.mean,
                "low": lost.low,
                "high": lost.high,
            }
        )
    frame = pd.DataFrame(rows)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(args.out, index=False)
    print(f"CLIP of the full model {mean_interval(base)}")
    print("| stage | block | dCLIP | 95 % interval |\n|---|---|---|---|")
    for row in frame.itertuples():
        print(f"| {row.stage} | `{row.block}` | {row.d_clip:+.4f} | [{row.low:+.4f}, {row.high:+.4f}] |")


if __name__ == "__main__":
    main()
