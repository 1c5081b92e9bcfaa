r"""Recipe 4 of 4: the small model's UNet, with SD-1.5's topology, trained with or without robust training.

The shipped weights came from three phases; the result of the second is the UNet without robust training that they
are compared with:

    recipe="-m experiments.shapes.train_unet --pipeline search_spaces/shapes/pipeline"
    torchrun --nproc-per-node 2 $recipe --work runs/shapes/unet-plain --steps 3000 --decay-share 0.2
    python $recipe --work runs/shapes/unet-plain-long --start-from runs/shapes/unet-plain --steps 3500 \
        --learning-rate 8e-4
    python $recipe --work runs/shapes/unet-robust --start-from runs/shapes/unet-plain-long --steps 1300 \
        --learning-rate 6e-4 --decay-share 0.5 --drop-probability 0.05 --out search_spaces/shapes/pipeline/unet

v-prediction with zero terminal signal (the scheduler's own setting), 10 % empty captions for guidance, an
exponential average of the weights. Robust training skips each block with the given probability in every step
(SnapFusion, section 3.1). One process per core; gradients are averaged. Resumes from --work.
"""

import argparse
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor

from experiments.shapes import checkpoint, latents
from nas.training.skipping.making import skip_strategy
from nas.training.skipping.settings import Skipping
from search_spaces.supernet import Supernet

CONFIG = {
    "sample_size": 12,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": (24, 48, 96, 96),
    "cross_attention_dim": 64,
    "attention_head_dim": 2,
    "norm_num_groups": 8,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}


def learning_rate(step: int, *, peak: float, steps: int, decay_share: float = 0.3) -> float:
    """Warm-up of 200 steps, a plateau, and a linear decay to nothing over the last `decay_share` of the steps."""
    return peak * min(1.0, (step + 1) / 200, (steps - step) / (decay_share * steps))


def average_gradients(model: torch.nn.Module) -> None:
    parameters = [p for p in model.parameters() if p.requires_grad]
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for p, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        p.grad = part.view_as(p)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pipeline", type=Path, required=True, help="pipeline folder with VAE, text encoder, tokenizer, scheduler"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of the resumable checkpoint")
    parser.add_argument("--out", type=Path, help="folder that receives the averaged UNet")
    parser.add_argument(
        "--start-from", type=Path, help="work folder of a finished run whose averaged weights to start from"
    )
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=32, help="pictures per step, over all processes")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--decay-share", type=float, default=0.3)
    parser.add_argument("--drop-probability", type=float, default=0.0)
    parser.add_argument("--average", type=float, default=0.998, help="decay of the exponential average of the weights")
    parser.add_argument("--pictures", type=int, default=32768)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    cache = args.work.parent / f"latents-{args.pictures}.safetensors"
    if rank == 0:
        latents.make(pipeline=args.pipeline, cache=cache, num=args.pictures, seed=5)
    if world > 1:
        dist.barrier()
    data = latents.make(pipeline=args.pipeline, cache=cache, num=args.pictures, seed=5)
    model = UNet2DConditionModel(**CONFIG).to(memory_format=torch.channels_last)
    model.set_attn_processor(AttnProcessor())  # faster than fused attention with so few channels per head
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=0.01, betas=(0.9, 0.99))
    average = {k: v.clone() for k, v in model.state_dict().items()}
    path = args.work / "checkpoint.safetensors"
    if args.start_from is not None and not path.exists():
        if checkpoint.restore(args.start_from / "checkpoint.safetensors", model=model, average=average) == 0:
            parser.error(f"--start-from {args.start_from} holds no checkpoint")
        model.load_state_dict(average)
    start = checkpoint.restore(path, model=model, average=average, optimizer=optimizer)
    scheduler = DDIMScheduler.from_pretrained(args.pipeline / "scheduler")
    supernet = None
    if args.drop_probability > 0:
        supernet = Supernet(model)
        skipping = Skipping(probability=args.drop_probability)
        strategy = skip_strategy(skipping, space=supernet.space, architecture=supernet.space.base)
    state = model.state_dict()
    clock, running = time.monotonic(), 0.0
    batches = data.batches(seed=args.seed + 100 * rank, size=args.batch // world, caption_dropout=0.1, start=start)
    for step in range(start, args.steps):
        batch = next(batches)
        sample, context, generator = batch.latents, batch.text.embeddings, batch.generator
        noise = torch.randn(sample.shape, generator=generator)
        timesteps = torch.randint(scheduler.config.num_train_timesteps, (len(sample),), generator=generator)
        noisy = scheduler.add_noise(sample, noise, timesteps).contiguous(memory_format=torch.channels_last)
        target = scheduler.get_velocity(sample, noise, timesteps)
        if supernet is not None:
            (subnetwork,) = strategy.subnetworks(step=step, num_steps=args.steps, seed=args.seed)
            supernet.switch(subnetwork)
        loss = (model(noisy, timesteps, context).sample - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        if supernet is not None:
            supernet.switch(supernet.space.base)
        if world > 1:
            average_gradients(model)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, peak=args.learning_rate, steps=args.steps, decay_share=args.decay_share)
        optimizer.step()
        decay = min(args.average, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), [state[k] for k in average], 1 - decay)
        running += loss.item()
        if rank == 0 and ((step + 1) % 100 == 0 or step + 1 == args.steps):
            checkpoint.save(path, step=step + 1, model=model, average=average, optimizer=optimizer)
            print(f"step {step + 1} loss {running / 100:.4f} {time.monotonic() - clock:.0f} s", flush=True)
            running = 0.0
    if rank == 0 and args.out is not None:
        model.load_state_dict(average)
        model.to(memory_format=torch.contiguous_format).half().save_pretrained(args.out)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
