"""What the small model is worth: CLIP by steps and guidance against real renderings, and what every removal costs.

    python -m experiments.shapes.gates --shapes search_spaces/shapes --out runs/shapes/gates --device cuda

Held-out captions only. Writes `steps.csv`, `removals.csv` (with 95 % intervals, paired by caption) and `grid.png`.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pandas as pd
import torch
from diffusers import UNet2DConditionModel

from experiments.shapes.rendered import held_out_scenes, pictures
from experiments.shapes.train_clip import retrieval
from nas.drawing.grid import write_grid
from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.computing.execution import Execution
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.intervals import mean_interval, paired_loss
from nas.scores.prompts import ValidationSet
from search_spaces.folders.loading import load_unet
from search_spaces.shapes.scenes import Scene, caption_of
from search_spaces.supernet import Supernet


class Bench:
    """Held-out captions and the scores of any UNet on them."""

    def __init__(self, shapes: Path, *, pipeline: Path, num: int, chunk: int, device: str) -> None:
        self._pipeline, self._clip = pipeline, shapes / "open_clip"
        self._execution = Execution(device=device)
        scenes = {caption_of(scene): scene for scene in held_out_scenes(np.random.default_rng(11), num)}
        self._validation = ValidationSet.from_captions(list(scenes), seed=0, chunk_size=chunk)
        self.scenes: list[Scene] = [scenes[prompt.caption] for prompt in self._validation.prompts]
        self._shape = (4, 16, 16)
        self.unet: UNet2DConditionModel | None = None

    def evaluator(
        self, unet: torch.nn.Module, *, scheduler: Any, steps: int, guidance: float
    ) -> tuple[Evaluator, ClipJudge]:
        """Of a protocol."""
        protocol = SamplingProtocol(num_steps=steps, guidance_scale=guidance, scheduler=scheduler)
        setting = ScoreSetting(
            model=ModelFolder(self._pipeline),
            validation=self._validation,
            protocol=protocol,
            latent_shape=self._shape,
            execution=self._execution,
        )
        judge = ClipJudge(setting, model=str(self._clip))
        return Evaluator(setting, score=judge, reference=unet), judge

    def scores(self, evaluator: Evaluator, unet: torch.nn.Module) -> list[float]:
        """One per caption."""
        chunks = range(self._validation.num_chunks)
        return [score for chunk in chunks for score in evaluator.evaluate(unet, chunk=chunk).scores]

    def real(self, judge: ClipJudge, device: str) -> list[float]:
        """Of renderings."""
        shown = ((pictures(self.scenes, np.random.default_rng(12)) + 1) / 2).to(device)
        parts = shown.split(self._validation.chunk_size)
        return [score for chunk, part in enumerate(parts) for score in judge.judge(part, chunk=chunk)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", type=Path, required=True, help="folder of open_clip/ and pipeline/")
    parser.add_argument("--pipeline", type=Path, help="instead of the one in --shapes")
    parser.add_argument("--unet", type=Path, help="UNet folder, instead of the pipeline's")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--num", type=int, default=512, help="held-out captions")
    parser.add_argument("--chunk", type=int, default=512, help="captions at once")
    parser.add_argument("--steps", type=int, nargs="*", default=[1, 2, 4, 8, 16, 50])
    parser.add_argument("--guidance", type=float, nargs="*", default=[1.0, 2.0, 3.0, 5.0])
    parser.add_argument("--removals", nargs="*", default=["DDIMScheduler:8:3"], help="scheduler:steps:guidance")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    clock, pipeline = time.monotonic(), args.pipeline or args.shapes / "pipeline"
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    bench = Bench(args.shapes, pipeline=pipeline, num=args.num, chunk=args.chunk, device=args.device)
    unet = load_unet(args.unet or pipeline / "unet").eval().to(args.device)
    supernet = Supernet(unet)
    clip = open_clip.create_model(f"local-dir:{args.shapes / 'open_clip'}", require_pretrained=True).eval()
    top1, _ = retrieval(clip, open_clip.get_tokenizer(f"local-dir:{args.shapes / 'open_clip'}"))
    print(f"CLIP retrieval@1 among 500 held-out captions: {top1:.3f}", flush=True)

    with torch.inference_mode():
        rows = []
        real: list[float] = []
        for scheduler, steps in [("DDIMScheduler", n) for n in args.steps] + [("DPMSolverMultistepScheduler", 8)]:
            for guidance in args.guidance:
                evaluator, judge = bench.evaluator(supernet.unet, scheduler=scheduler, steps=steps, guidance=guidance)
                real = real or bench.real(judge, args.device)
                scores = bench.scores(evaluator, supernet.unet)
                mean = mean_interval(scores)
                rows.append(
                    {
                        "scheduler": scheduler,
                        "steps": steps,
                        "guidance": guidance,
                        "clip": mean.mean,
                        "low": mean.low,
                        "high": mean.high,
                        "ratio": mean.mean / np.mean(real),
                    }
                )
                print({k: v if isinstance(v, str) else round(v, 4) for k, v in rows[-1].items()}, flush=True)
        print(f"real renderings: {mean_interval(real)}; {time.monotonic() - clock:.0f} s", flush=True)
        pd.DataFrame(rows).to_csv(args.out / "steps.csv", index=False)

        removed = []
        for text in args.removals:
            scheduler, steps, guidance = text.split(":")
            evaluator, _ = bench.evaluator(
                supernet.unet, scheduler=scheduler, steps=int(steps), guidance=float(guidance)
            )
            space = supernet.space
            base = bench.scores(evaluator, supernet.unet)
            for action in space.removals(space.base):
                with supernet.switched(action.apply(space.base)) as smaller:
                    lost = paired_loss(base, bench.scores(evaluator, smaller))
                stage = space.paper_stage(action.blocks[0].stage)
                removed.append({"protocol": text, "stage": stage, "block": str(action)[1:]})
                removed[-1] |= {"d_clip": lost.mean, "low": lost.low, "high": lost.high}
        frame = pd.DataFrame(removed)
        if removed:
            frame.to_csv(args.out / "removals.csv", index=False)
            for text in args.removals:
                part = frame[frame.protocol == text]
                clear = part[part.low > 0]
                print(f"{text}: {len(clear)} of {len(part)} removals clear of 0, in {sorted(set(clear.stage))}")
                print(part.round(4).to_string(), flush=True)

        evaluator, _ = bench.evaluator(supernet.unet, scheduler="DDIMScheduler", steps=50, guidance=2.0)
        drawn = evaluator.evaluate(supernet.unet, chunk=0, with_pictures=True).pictures
        assert drawn is not None
        array = (drawn[:48].cpu() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        write_grid(args.out / "grid.png", array, captions=[caption_of(s) for s in bench.scenes[: len(array)]])
    print(f"gates: {time.monotonic() - clock:.0f} s", flush=True)


if __name__ == "__main__":
    main()
