"""The paper's table of times, for this machine: text encoder, UNet per step, decoder, of two models side by side.

Both are measured in the same interleaved rounds around the reference kernel, as latency tables are, so that the mood of
the machine favours neither.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch

from latency.backends.torch_eager import TorchEager
from latency.timing.estimator import Summary, corrected, summarised
from latency.timing.interleaving import MeasureSettings, interleave
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from search_spaces.unets.diffusers_config import space_from_config

PARTS: Final = ("text encoder", "UNet step", "decoder")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTimes:
    """What a picture of one model costs.

    Attributes:
        num_params: Parameters, by part.
        times: Of one call, by part; a guided UNet step has two rows.
        num_steps: Denoising steps.
    """

    num_params: Mapping[str, int]
    times: Mapping[str, Summary]
    num_steps: int

    @property
    def denoising_ms(self) -> float:
        """All steps."""
        return self.num_steps * self.times["UNet step"].median_ms

    @property
    def total_ms(self) -> float:
        """A picture: its text, its steps, its decoding."""
        return self.times["text encoder"].median_ms + self.denoising_ms + self.times["decoder"].median_ms


def measure_times(
    models: Mapping[str, tuple[ModelFolder, int, float]],
    /,
    *,
    threads: int,
    max_rounds: int,
    on_round: Callable[[int], None] = lambda num: None,
) -> dict[str, PartTimes]:
    """Measure the parts of models, one picture at a time.

    Args:
        models: By name: the folder, its steps, its guidance scale.
        threads: CPU threads.
        max_rounds: Rounds at most.
        on_round: Called with how many rounds are done.
    """
    tasks: dict[tuple[str, str], Callable[[], object]] = {}
    counts: dict[str, dict[str, int]] = {}
    backend = TorchEager(threads=threads)
    with backend.session():
        for name, (model, _, scale) in models.items():
            calls, counts[name] = _calls(model, scale)
            tasks |= {(name, part): call for part, call in calls.items()}
        samples = interleave(
            tasks,
            reference=backend.reference(),
            clock=backend.clock,
            settings=MeasureSettings(min_rounds=min(10, max_rounds), max_rounds=max_rounds),
            on_round=lambda report: on_round(report.num_rounds),
        )
    summaries = {key: summarised(values) for key, values in corrected(samples).items()}
    return {
        name: PartTimes(
            num_params=counts[name],
            times={part: summaries[name, part] for part in PARTS},
            num_steps=num_steps,
        )
        for name, (_, num_steps, _) in models.items()
    }


def _calls(model: ModelFolder, scale: float) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """One call of each part, as a picture needs it, and the parts' parameters."""
    parts, unet = PipelineParts.load(model), model.load_unet()
    space = space_from_config(unet.config)
    height, width = space.sample_size
    size_px = (height * parts.autoencoder.scale, width * parts.autoencoder.scale)
    told = getattr(unet.config, "time_cond_proj_dim", None)
    num_rows = 2 if scale != 1 and told is None else 1
    texts = ["a photograph", ""][:num_rows]
    text = parts.embed(texts, size_px=size_px)
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn((1, space.in_channels, height, width), generator=generator)
    rows, arguments = latents.expand(num_rows, -1, -1, -1).contiguous(), dict[str, Any](text.arguments())
    if told is not None:
        arguments["timestep_cond"] = torch.zeros((num_rows, told))
    calls: dict[str, Callable[[], object]] = {
        "text encoder": lambda: parts.embed(texts, size_px=size_px),
        "UNet step": lambda: unet(rows, 500, **arguments).sample,
        "decoder": lambda: parts.autoencoder.vae.decode(latents).sample,
    }
    counts = {
        "text encoder": sum(_num_params(module) for module in parts.text_encoders.models),
        "UNet step": _num_params(unet),
        "decoder": _num_params(parts.autoencoder.vae.decoder),
    }
    return calls, counts


def _num_params(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
