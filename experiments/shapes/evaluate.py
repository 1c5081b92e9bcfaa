"""What the small model is worth on held-out captions: CLIP retrieval, CLIP score against real renderings, a grid.

    python -m experiments.shapes.evaluate --unet search_spaces/shapes/pipeline/unet --grid search_spaces/shapes/grid.png

--unet also takes a training checkpoint (runs/shapes/unet-robust/checkpoint.safetensors), of which it judges the
averaged weights.
"""

import argparse
from pathlib import Path

import numpy as np
import open_clip
import torch
from diffusers import UNet2DConditionModel

from experiments.shapes import checkpoint
from experiments.shapes.train_clip import held_out_scenes, pictures, retrieval
from experiments.shapes.train_unet import CONFIG
from nas.drawing.grid import write_grid
from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.intervals import mean_interval
from nas.scores.prompts import ValidationSet
from search_spaces.folders.loading import load_unet
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR
from search_spaces.shapes.scenes import Scene, caption_of


def load(path: Path) -> UNet2DConditionModel:
    """A UNet folder, or the averaged weights of a training checkpoint."""
    if path.is_dir():
        return load_unet(path).eval()
    unet = UNet2DConditionModel(**CONFIG)
    average = dict(unet.state_dict())
    checkpoint.restore(path, model=unet, average=average)
    unet.load_state_dict(average)
    return unet.eval()


def setting_of(scenes: list[Scene], protocol: SamplingProtocol, chunk_size: int = 16) -> ScoreSetting:
    """The small model's parts and the captions of scenes."""
    return ScoreSetting(
        model=ModelFolder(PIPELINE_DIR),
        validation=ValidationSet.from_captions([caption_of(s) for s in scenes], seed=0, chunk_size=chunk_size),
        protocol=protocol,
        latent_shape=(4, 12, 12),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unet", type=Path, required=True)
    parser.add_argument("--grid", type=Path, help="PNG of the first 32 pictures")
    parser.add_argument("--num", type=int, default=256, help="held-out captions")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--scheduler", default="DDIMScheduler")
    args = parser.parse_args()
    torch.set_num_threads(1)
    clip = open_clip.create_model(f"local-dir:{OPEN_CLIP_DIR}", require_pretrained=True).eval()
    top1, _ = retrieval(clip, open_clip.get_tokenizer(f"local-dir:{OPEN_CLIP_DIR}"))
    rng = np.random.default_rng(11)
    scenes = held_out_scenes(rng, args.num)
    protocol = SamplingProtocol(num_steps=args.steps, guidance_scale=args.guidance, scheduler=args.scheduler)
    setting = setting_of(scenes, protocol)
    by_caption = {caption_of(scene): scene for scene in scenes}
    scenes = [by_caption[prompt.caption] for prompt in setting.validation.prompts]
    real = (pictures(scenes, rng) + 1) / 2
    unet = load(args.unet)
    judge, drawer = ClipJudge(setting, model=str(OPEN_CLIP_DIR)), Drawer(setting)
    judge.start(unet)
    real_scores: list[float] = []
    scores: list[float] = []
    made: list[torch.Tensor] = []
    for chunk in range(setting.validation.num_chunks):
        real_scores += judge.judge(real[setting.rows(chunk)], chunk=chunk)
        drawn = drawer.pictures(unet, chunk=chunk)
        scores += judge.judge(drawn, chunk=chunk)
        made.append(drawn)
    real_mean, mean = mean_interval(real_scores), mean_interval(scores)
    print(f"CLIP retrieval@1 among 500 held-out captions: {top1:.3f}")
    print(f"CLIP of {args.num} real renderings {real_mean}")
    print(f"CLIP of {args.num} pictures ({args.scheduler}, {args.steps} steps, guidance {args.guidance}) {mean}")
    print(f"ratio {mean.mean / real_mean.mean:.3f}")
    if args.grid:
        array = (torch.cat(made)[:32] * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        write_grid(args.grid, array, captions=[caption_of(s) for s in scenes[:32]])


if __name__ == "__main__":
    main()
