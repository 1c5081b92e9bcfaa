"""Recipe 3 of 4: the small model's VAE, 64x64 pictures to 4x16x16 latents.

    python -m experiments.shapes.train_vae --pictures runs/shapes/pictures.npy --num 163840 \
        --out search_spaces/shapes/pipeline/vae --work runs/shapes/vae

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
from experiments.shapes.pace import paced
from experiments.shapes.rendered import held_out_scenes, pictures, rendered
from experiments.shapes.train_clip import rate_of
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


def loss_of(model: AutoencoderKL, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss, and the squared error in it."""
    posterior = model.encode(image).latent_dist
    error = model.decode(posterior.mean + posterior.std * torch.randn_like(posterior.mean)).sample - image
    squared = error.square().mean()
    kl = posterior.kl().mean() / posterior.mean[0].numel()
    return squared + 0.2 * error.abs().mean() + KL_WEIGHT * kl, squared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="the file of `experiments.shapes.rendered`")
    parser.add_argument("--num", type=int, required=True, help="how many they are")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished AutoencoderKL")
    parser.add_argument("--work", type=Path, required=True, help="folder of the resumable checkpoint")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seconds", type=float, help="as many steps as fit into them")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    model = build().to(args.device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=0.0)
    path = args.work / "checkpoint.safetensors"
    start = checkpoint.restore(path, model=model, optimizer=optimizer)
    shown = rendered(args.pictures, num=args.num).on(args.device)
    clock = time.monotonic()
    settle = model.quant_conv.bias.sum().item
    for step, total in paced("vae", steps=args.steps, seconds=args.seconds, start=start, settle=settle):
        generator = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        rows = torch.randint(args.num, (args.batch,), generator=generator).to(args.device)
        image = shown.batch(rows).contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = rate_of(step, peak=args.learning_rate, steps=total)
        loss, squared = loss_of(model, image)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 1000 == 0 or step + 1 == total:
            checkpoint.save(path, step=step + 1, model=model, optimizer=optimizer)
            print(
                f"vae: step {step + 1} loss {loss.item():.4f} mse {squared.item():.5f} "
                f"{time.monotonic() - clock:.0f} s",
                flush=True,
            )
    model.eval()
    rng = np.random.default_rng(3)
    with torch.inference_mode():
        image = pictures(held_out_scenes(rng, 256), rng).to(args.device)
        latents = model.encode(image).latent_dist.mean
        psnr = -10 * torch.log10((model.decode(latents).sample.clamp(-1, 1) - image).square().mean() / 4)
    model.register_to_config(scaling_factor=round(1 / latents.std().item(), 5))
    model.to("cpu", memory_format=torch.contiguous_format).save_pretrained(args.out)
    print(f"vae: held-out PSNR {psnr.item():.2f} dB, scaling_factor {model.config.scaling_factor}", flush=True)


if __name__ == "__main__":
    main()
