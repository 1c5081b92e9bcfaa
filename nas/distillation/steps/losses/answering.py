"""A UNet that is asked in terms of v, whatever it predicts: plain, guided, or told the guidance that it imitates."""

import itertools
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nas.distillation.steps.losses.ddim import Process, picture_and_noise, v_of
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.sampling import guidance_embedding
from nas.training.objective import Computing
from search_spaces.supernet import Supernet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answering:
    """How a UNet is asked.

    Attributes:
        kind: What it predicts.
        process: The forward process.
        empty: What it is told of one picture without text.
        told: Width in which it is told its guidance (`time_cond_proj_dim`); None = it is not.
    """

    kind: str
    process: Process
    empty: Conditioning
    told: int | None = None

    def v(
        self,
        supernet: Supernet,
        z: Float[Tensor, "n c h w"],
        /,
        *,
        timesteps: Int[Tensor, " n"],
        text: Conditioning,
        computing: Computing,
        w: Float[Tensor, " n"] | None = None,
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Its answer, and its answer to the text alone; both are the same where w is None or the UNet is told it.

        Args:
            supernet: Computes the UNet.
            z: Noisy latents.
            timesteps: How noisy.
            text: What it is told of the pictures.
            computing: What the forward pass runs in.
            w: Guidance scales, w out(text) - (w - 1) out(nothing); None = plain answers.
        """
        arguments: dict[str, Any] = text.arguments()
        if self.told is not None:
            arguments["timestep_cond"] = guidance_embedding(
                torch.ones_like(z[:, 0, 0, 0]) if w is None else w, self.told
            )
        is_guided = w is not None and self.told is None
        if is_guided:
            arguments = self.empty.to(z.device).expand(len(text)).followed_by(text).arguments()
        with computing():
            output = supernet.unet(
                torch.cat([z, z]) if is_guided else z,
                torch.cat([timesteps, timesteps]) if is_guided else timesteps,
                **arguments,
            ).sample.float()
        if not is_guided:
            plain = self._v(output, z, timesteps)
            return plain, plain
        assert w is not None, "guided"
        without, with_text = output.chunk(2)
        scale = w.view(-1, 1, 1, 1)
        guided = scale * with_text - (scale - 1) * without  # the same in every kind: they are linear in each other
        return self._v(guided, z, timesteps), self._v(with_text, z, timesteps)

    def _v(self, output: Tensor, z: Tensor, timesteps: Tensor) -> Float[Tensor, "n c h w"]:
        if self.kind == "v_prediction":
            return output
        alpha, sigma = self.process.at(timesteps)
        x, eps = picture_and_noise(self.kind, output, z=z, alpha=alpha, sigma=sigma)
        return v_of(x, eps, alpha=alpha, sigma=sigma)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Teacher:
    """A UNet whose steps are learned.

    Attributes:
        supernet: Computes it.
        answering: How it is asked.
    """

    supernet: Supernet
    answering: Answering

    @torch.no_grad()
    def walk(
        self,
        z: Float[Tensor, "n c h w"],
        /,
        *,
        through: list[Int[Tensor, " n"]],
        text: Conditioning,
        computing: Computing,
        w: Float[Tensor, " n"] | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """Where steps of DDIM lead.

        Args:
            z: Noisy latents.
            through: Timesteps: where z is, and where each step ends.
            text: What the UNet is told of the pictures.
            computing: What forward passes run in.
            w: Guidance scales; None = none.
        """
        process = self.answering.process
        for start, end in itertools.pairwise(through):
            v, _ = self.answering.v(self.supernet, z, timesteps=start, text=text, computing=computing, w=w)
            alpha, sigma = process.at(start)
            x, eps = picture_and_noise("v_prediction", v, z=z, alpha=alpha, sigma=sigma)
            alpha, sigma = process.at(end)
            z = alpha * x + sigma * eps
        return z
