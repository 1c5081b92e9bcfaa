"""Recipe 3 of 4: the small model's VAE, 48x48 pictures to 4x12x12 latents.

    python -m experiments.shapes.train_vae --out search_spaces/shapes/pipeline/vae --work runs/shapes/vae

Squared and absolute error plus a small KL term on rendered scenes. Resumes from --work. At the end
`scaling_factor` is measured, so that latents have unit variance as in Stable Diffusion.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from experiments.shapes import checkpoint
from experiments.shapes.train_clip import held_out_scenes, pictures, train_scenes
from search_spaces.shapes.renderer import PICTURE_PX

KL_WEIGHT = 1e-4


def build() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32, 48),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        sample_size=PICTURE_PX,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished AutoencoderKL")
    parser.add_argument("--work", type=Path, required=True, help="folder of the resumable checkpoint")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    model = build().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=0.0)
    path = args.work / "checkpoint.safetensors"
    start = checkpoint.restore(path, model=model, optimizer=optimizer)
    clock = time.monotonic()
    for step in range(start, args.steps):
        rng = np.random.default_rng([args.seed, step])
        image = pictures(train_scenes(rng, args.batch), rng).contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = (
                args.learning_rate * min(1.0, (step + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * step / args.steps))
            )
        posterior = model.encode(image).latent_dist
        noise = torch.from_numpy(rng.normal(size=posterior.mean.shape).astype(np.float32))
        output = model.decode(posterior.mean + posterior.std * noise).sample
        error = output - image
        loss = (
            error.square().mean()
            + 0.2 * error.abs().mean()
            + KL_WEIGHT * posterior.kl().mean() / posterior.mean[0].numel()
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0 or step + 1 == args.steps:
            checkpoint.save(path, step=step + 1, model=model, optimizer=optimizer)
            print(
                f"step {step + 1} loss {loss.item():.4f} mse {error.square().mean().item():.5f} "
                f"{time.monotonic() - clock:.0f} s",
                flush=True,
            )
    model.eval()
    rng = np.random.default_rng(3)
    with torch.inference_mode():
        image = pictures(held_out_scenes(rng, 256), rng)
        latents = model.encode(image).latent_dist.mean
        psnr = -10 * torch.log10((model.decode(latents).sample.clamp(-1, 1) - image).square().mean() / 4)
    model.register_to_config(scaling_factor=round(1 / latents.std().item(), 5))
    model.to(memory_format=torch.contiguous_format).save_pretrained(args.out)
    print(f"held-out PSNR {psnr.item():.2f} dB, scaling_factor {model.config.scaling_factor}")


if __name__ == "__main__":
    main()
