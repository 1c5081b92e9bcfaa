r"""Recipe 4 of 4: the small model's UNet, with SD-1.5's topology, trained plainly and then robustly.

    python -m experiments.shapes.train_unet --pipeline search_spaces/shapes/pipeline \
        --pictures runs/shapes/pictures.npy --num 163840 --plain runs/shapes/unet-plain \
        --out search_spaces/shapes/pipeline/unet

The scheduler's own prediction, 10 % empty captions for guidance, an exponential average of the weights. Robust training
skips each block with the given probability in every step (SnapFusion, section 3.1); `--plain` is the UNet before it,
with which the robust one is compared. On a GPU the plain phase replays one captured step, since launching the kernels
of so small a UNet takes longer than computing them.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from torch.nn import functional as F

from experiments.shapes.latents import Encoded, encode
from experiments.shapes.pace import paced
from experiments.shapes.rendered import rendered
from nas.pipelines.noise_schedule import NoiseSchedule
from nas.training.skipping.making import skip_strategy
from nas.training.skipping.settings import Skipping
from search_spaces.supernet import Supernet

CONFIG = {
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": (24, 48, 96, 96),
    "cross_attention_dim": 128,
    "attention_head_dim": 2,
    "norm_num_groups": 8,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
REPORT_EVERY = 500


class Training:
    """A UNet, its data, its optimizer and the average of its weights."""

    def __init__(self, data: Encoded, *, pipeline: Path, batch: int, average: float) -> None:
        self.device = data.latents.device
        self._data, self._batch, self._decay = data, batch, average
        scheduler = DDIMScheduler.from_pretrained(pipeline / "scheduler")
        self._schedule = NoiseSchedule(
            alphas_cumprod=scheduler.alphas_cumprod.to(self.device),
            prediction_type=scheduler.config.prediction_type,
        )
        self.unet = UNet2DConditionModel(**CONFIG).to(self.device, memory_format=torch.channels_last)
        self._parameters = list(self.unet.parameters())
        self.average = [p.detach().clone() for p in self._parameters]
        self.rate = torch.tensor(0.0, device=self.device)
        self._start_optimizer()

    def _start_optimizer(self) -> None:
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=self.rate, weight_decay=0.01, betas=(0.9, 0.99), capturable=self.device.type == "cuda"
        )

    def step(self) -> torch.Tensor:
        """One step; the loss."""
        latents, text = self._data.batch(self._batch, caption_dropout=0.1)
        noise = torch.randn_like(latents)
        timesteps = torch.randint(len(self._schedule.alphas_cumprod), (len(latents),), device=self.device)
        noisy, target = self._schedule.diffuse(latents, noise, timesteps)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        loss = F.mse_loss(self.unet(noisy, timesteps, text).sample, target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self._parameters, 1 - self._decay)
        self._optimizer.zero_grad()
        return loss.detach()

    def load(self, folder: Path) -> None:
        """Start from the weights of a folder."""
        weights = load_file(folder / "diffusion_pytorch_model.safetensors")
        with torch.no_grad():
            for (name, parameter), average in zip(self.unet.named_parameters(), self.average, strict=True):
                parameter.copy_(weights[name])
                average.copy_(parameter)

    def captured(self) -> Callable[[], torch.Tensor]:
        """The step as one graph of kernels; the first steps are done on the way."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(5):
                self.step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = self.step()

        def replay() -> torch.Tensor:
            graph.replay()
            return loss

        return replay

    def restart(self) -> None:
        """Go on from the average, with a fresh optimizer."""
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, self.average)
        self._start_optimizer()

    def write(self, folder: Path) -> None:
        """The averaged weights as a folder of diffusers, in half precision."""
        unet = UNet2DConditionModel(**CONFIG)
        names = [name for name, _ in unet.named_parameters()]
        unet.load_state_dict({name: value.cpu() for name, value in zip(names, self.average, strict=True)})
        unet.half().save_pretrained(folder)


def run(
    name: str,
    training: Training,
    step: Callable[[], torch.Tensor],
    *,
    steps: int,
    seconds: float | None,
    peak: float,
) -> None:
    """Steps with a warm-up of 200, a plateau, and a linear decay over the last 0.4."""
    clock, running = time.monotonic(), torch.zeros((), device=training.device)
    for index, total in paced(name, steps=steps, seconds=seconds, settle=running.item):
        training.rate.fill_(peak * min(1.0, (index + 1) / 200, (total - index) / (0.4 * total)))
        running += step()
        if (index + 1) % REPORT_EVERY == 0:
            mean, took = running.item() / REPORT_EVERY, time.monotonic() - clock
            print(f"{name}: step {index + 1} of {total} loss {mean:.4f} {took:.0f} s", flush=True)
            running.zero_()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pipeline", type=Path, required=True, help="folder with VAE, text encoder, tokenizer, scheduler"
    )
    parser.add_argument("--pictures", type=Path, required=True, help="the file of `experiments.shapes.rendered`")
    parser.add_argument("--num", type=int, required=True, help="how many they are")
    parser.add_argument("--plain", type=Path, required=True, help="folder that receives the UNet of the plain phase")
    parser.add_argument("--out", type=Path, required=True, help="folder that receives the robust UNet")
    parser.add_argument("--start", type=Path, help="folder of a UNet whose weights to start from")
    parser.add_argument("--steps", type=int, default=8000, help="of the plain phase")
    parser.add_argument("--robust-steps", type=int, default=3000)
    parser.add_argument("--seconds", type=float, help="of the plain phase, instead of steps")
    parser.add_argument("--robust-seconds", type=float)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=1.2e-3)
    parser.add_argument("--robust-learning-rate", type=float, default=8e-4)
    parser.add_argument("--drop-probability", type=float, default=0.05)
    parser.add_argument("--average", type=float, default=0.998, help="decay of the exponential average of the weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--name", default="unet")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    data = encode(rendered(args.pictures, num=args.num), pipeline=args.pipeline, device=args.device)
    print(f"{args.name}: {len(data.latents)} pictures, {len(data.embeddings)} captions encoded", flush=True)
    training = Training(data, pipeline=args.pipeline, batch=args.batch, average=args.average)
    if args.start is not None:
        training.load(args.start)
    step = training.step
    if args.device != "cpu":
        try:
            step = training.captured()
        except RuntimeError as error:
            print(f"{args.name}: not captured ({error}); launched kernel by kernel", flush=True)
            training = Training(data, pipeline=args.pipeline, batch=args.batch, average=args.average)
            if args.start is not None:
                training.load(args.start)
            step = training.step
    run(f"{args.name} plain", training, step, steps=args.steps, seconds=args.seconds, peak=args.learning_rate)
    training.write(args.plain)
    del step
    training.restart()
    supernet, count = Supernet(training.unet), itertools.count()
    skipping = Skipping(probability=args.drop_probability)
    strategy = skip_strategy(skipping, space=supernet.space, architecture=supernet.space.base)

    def robust() -> torch.Tensor:
        (subnetwork,) = strategy.subnetworks(step=next(count), num_steps=args.robust_steps, seed=args.seed)
        supernet.switch(subnetwork)
        return training.step()

    run(
        f"{args.name} robust",
        training,
        robust,
        steps=args.robust_steps,
        seconds=args.robust_seconds,
        peak=args.robust_learning_rate,
    )
    training.write(args.out)


if __name__ == "__main__":
    main()
