"""What a training step costs beside bare forward, backward and optimizer of plain diffusers, and what skipping saves.

    python -m experiments.benchmarks.training_step [--device cuda] [--width 32] [--size 16] [--batch 16] [--steps 12]

A UNet of SD-1.5's topology with random weights. Our step (batch, noise, target, sub-network, forward, backward,
clipping, AdamW, checks) and the bare one (forward, mean squared error, backward, AdamW on tensors that are there) take
turns; printed are medians and the median of paired ratios. Then sub-networks: their step beside the whole one's, and
beside the bare step of a UNet that has their blocks alone. CPU time on a CPU, wall time on a GPU.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from nas.pipelines.conditioning import Conditioning
from nas.pipelines.noise_schedule import NoiseSchedule
from nas.training.denoising import Denoising
from nas.training.latent_set import LatentSet
from nas.training.loop import StepDone, Training
from nas.training.settings import RobustTrainingSettings
from search_spaces import Architecture
from search_spaces.supernet import Supernet

NUM_TOKENS, CROSS_ATTENTION_DIM = 24, 64
NUM_WARM_UP = 2


@dataclass(frozen=True)
class Always:
    """The strategy that trains one sub-network."""

    architecture: Architecture

    def subnetworks(self, *, step: int, num_steps: int, seed: int) -> tuple[Architecture, ...]:
        """The same in every step."""
        return (self.architecture,)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--width", type=int, default=32, help="channels of the outermost stage")
    parser.add_argument("--size", type=int, default=16, help="height and width of the latents")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=12, help="timed, of each kind")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=args.size,
        block_out_channels=tuple(args.width * factor for factor in (1, 2, 4, 4)),
        cross_attention_dim=CROSS_ATTENTION_DIM,
        attention_head_dim=2,
        norm_num_groups=8,
    ).to(args.device)
    supernet = Supernet(unet)
    base = supernet.space.base
    print(f"{supernet.space.num_params(base) / 1e6:.1f} M parameters, batch {args.batch}, {args.device}")
    for fused in (False, True):
        whole, bare, ratio = paired(supernet, base, args, fused=fused)
        print(f"bare forward, backward, {'fused' if fused else 'plain'} AdamW {1000 * bare:8.1f} ms")
        print(
            f"our step                            {1000 * whole:8.1f} ms   ours / bare {ratio:.3f}, median of pairs\n"
        )
    print("| left out | multiplications | our step | in proportion | ours / bare UNet of these blocks |")
    print("|---|---|---|---|---|")
    for name, architecture in subnetworks(base).items():
        share = supernet.space.num_macs(architecture, context_tokens=NUM_TOKENS) / supernet.space.num_macs(
            base, context_tokens=NUM_TOKENS
        )
        seconds, _, ratio = paired(supernet, architecture, args, fused=True)
        saved = (1 - seconds / whole) / (1 - share)
        print(f"| {name} | {share:.3f} | {seconds / whole:.3f} | {saved:.2f} | {ratio:.3f} |", flush=True)


def subnetworks(base: Architecture) -> dict[str, Architecture]:
    """Some that lack more and more."""

    def without(attentions: Callable[[str], bool], resnets: Callable[[str], bool]) -> Architecture:
        found = base
        for place, position in base.positions():
            kept = replace(
                position,
                cross_attentions=0 if attentions(place) else position.cross_attentions,
                resnets=0 if resnets(place) else position.resnets,
            )
            found = found.with_position(place, kept)
        return found

    return {
        "attention of the outermost stages": without(lambda p: p in ("down.0", "up.3"), lambda p: False),
        "every attention": without(lambda p: True, lambda p: False),
        "every ResNet": without(lambda p: False, lambda p: True),
        "the inner half": without(lambda p: p not in ("down.0", "up.3"), lambda p: p not in ("down.0", "up.3")),
        "every block": without(lambda p: True, lambda p: True),
    }


def paired(
    supernet: Supernet, architecture: Architecture, args: argparse.Namespace, *, fused: bool
) -> tuple[float, float, float]:
    """Median seconds of our step and of the bare one, and the median of their ratios, step by step in turn."""
    data = LatentSet(
        latents=torch.randn(256, 4, args.size, args.size),
        caption_ids=torch.arange(1, 257),
        captions=Conditioning(embeddings=torch.randn(257, NUM_TOKENS, CROSS_ATTENTION_DIM)),
    )
    settings = RobustTrainingSettings(batch_size=args.batch, learning_rate=1e-5)
    training = Training(
        supernet,
        data=data,
        objective=Denoising(schedule=NoiseSchedule.of(DDIMScheduler(prediction_type="v_prediction"))),
        strategy=Always(architecture),
        settings=settings,
        num_steps=args.steps + NUM_WARM_UP,
        seed=0,
    )
    bare = bare_step(copy.deepcopy(supernet.materialise(architecture)), args, fused=fused)
    on_gpu = args.device != "cpu"
    ours, theirs, start = list[float](), list[float](), [0.0]

    def now() -> float:
        if on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter() if on_gpu else time.process_time()

    def on_step(done: StepDone) -> None:
        end = now()
        bare()
        start.append(now())
        ours.append(end - start[-2])
        theirs.append(start[-1] - end)

    start.append(now())
    training.run(on_step=on_step)
    pairs = list(zip(ours[NUM_WARM_UP:], theirs[NUM_WARM_UP:], strict=True))
    return (
        statistics.median(one for one, _ in pairs),
        statistics.median(other for _, other in pairs),
        statistics.median(one / other for one, other in pairs),
    )


def bare_step(unet: UNet2DConditionModel, args: argparse.Namespace, *, fused: bool) -> Callable[[], None]:
    """Forward, loss, backward and AdamW of a plain UNet, on tensors that are there."""
    unet.train()
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-5, fused=fused)
    noisy, target = torch.randn(2, args.batch, 4, args.size, args.size, device=args.device)
    text = torch.randn(args.batch, NUM_TOKENS, CROSS_ATTENTION_DIM, device=args.device)
    timesteps = torch.randint(1000, (args.batch,), device=args.device)

    def step() -> None:
        loss = torch.nn.functional.mse_loss(unet(noisy, timesteps, encoder_hidden_states=text).sample, target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


if __name__ == "__main__":
    main()
