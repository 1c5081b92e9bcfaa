"""Our denoising loop against diffusers' own pipeline, and its laws."""

from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from nas.pipelines.conditioning import Conditioning
from nas.pipelines.folder import PipelineParts
from nas.pipelines.protocol import DETERMINISTIC_SCHEDULERS, SamplingProtocol
from nas.pipelines.sampling import initial_noise, sample_latents
from nas.pipelines.schedulers import make_scheduler
from search_spaces.shapes import PIPELINE_DIR

CAPTIONS = ("a red circle", "a small blue square on a black background")
LATENT_SHAPE = (4, 16, 16)
# Largest difference of a colour in [0, 1]; both run the same arithmetic in the same batches, so it is rounding only.
SAME_PICTURE = 1e-4


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionPipeline:
    pipeline = StableDiffusionPipeline.from_pretrained(PIPELINE_DIR, safety_checker=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def denoised(
    unet: UNet2DConditionModel, parts: PipelineParts, protocol: SamplingProtocol, *, noise: torch.Tensor
) -> torch.Tensor:
    return sample_latents(
        unet,
        scheduler=make_scheduler(protocol.scheduler, config=parts.scheduler_config),
        protocol=protocol,
        noise=noise,
        text=parts.embed(CAPTIONS, size_px=(64, 64)),
        empty=parts.embed([""], size_px=(64, 64)),
    )


@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_pictures_equal_those_of_diffusers_pipeline(
    pipeline: StableDiffusionPipeline,
    unet: UNet2DConditionModel,
    parts: PipelineParts,
    scheduler: Any,
    guidance_scale: float,
) -> None:
    protocol = SamplingProtocol(num_steps=3, guidance_scale=guidance_scale, scheduler=scheduler)
    noise = initial_noise([11, 12], shape=LATENT_SHAPE)
    pipeline.scheduler = make_scheduler(scheduler, config=parts.scheduler_config)
    theirs = pipeline(
        list(CAPTIONS), num_inference_steps=3, guidance_scale=guidance_scale, latents=noise, output_type="pt"
    ).images
    ours = parts.decode(denoised(unet, parts, protocol, noise=noise))
    assert ours.shape == (2, 3, 64, 64)
    assert (ours - theirs).abs().max() < SAME_PICTURE


def test_guidance_of_one_is_no_guidance(unet: UNet2DConditionModel, parts: PipelineParts) -> None:
    noise = initial_noise([5, 6], shape=LATENT_SHAPE)
    calls: list[int] = []

    def counted(sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        calls.append(len(sample))
        return unet(sample, *args, **kwargs)

    unguided = denoised(counted, parts, SamplingProtocol(num_steps=2, guidance_scale=1), noise=noise)
    assert calls == [2, 2], "half the cost: no batch for the empty caption"
    nearly = denoised(unet, parts, SamplingProtocol(num_steps=2, guidance_scale=1 + 1e-6), noise=noise)
    assert torch.allclose(unguided, nearly, atol=1e-4)


def test_guidance_extrapolates_from_the_empty_caption(parts: PipelineParts) -> None:
    """One step with a model that returns its text: w * text - (w - 1) * empty, in diffusers' terms."""
    outputs: list[torch.Tensor] = []

    class Spy:
        """A scheduler of one step that keeps what it is given."""

        init_noise_sigma, timesteps = 1.0, (torch.tensor(0),)

        def set_timesteps(self, num: int) -> None:
            assert num == 1

        def scale_model_input(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            return sample

        def step(self, output: torch.Tensor, timestep: torch.Tensor, latents: torch.Tensor) -> Any:
            outputs.append(output)
            return type("Step", (), {"prev_sample": latents})

    def model(sample: torch.Tensor, timestep: torch.Tensor, *, encoder_hidden_states: torch.Tensor) -> Any:
        return type("Output", (), {"sample": encoder_hidden_states[:, :1, :1, None].expand_as(sample)})

    text, empty = torch.full((2, 16, 64), 3.0), torch.full((1, 16, 64), 1.0)
    sample_latents(
        model,  # type: ignore[arg-type]
        scheduler=Spy(),
        protocol=SamplingProtocol(num_steps=1, guidance_scale=5),
        noise=torch.zeros(2, *LATENT_SHAPE),
        text=Conditioning(embeddings=text),
        empty=Conditioning(embeddings=empty),
    )
    assert outputs[0].unique().tolist() == [5 * 3.0 - 4 * 1.0]


def test_noise_belongs_to_its_seed_not_to_its_batch() -> None:
    together, alone = initial_noise([1, 2, 3], shape=LATENT_SHAPE), initial_noise([2], shape=LATENT_SHAPE)
    assert torch.equal(together[1], alone[0])
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("name", DETERMINISTIC_SCHEDULERS)
def test_no_scheduler_adds_noise_of_its_own(unet: UNet2DConditionModel, parts: PipelineParts, name: Any) -> None:
    protocol = SamplingProtocol(num_steps=5, guidance_scale=1, scheduler=name)  # PNDM takes no fewer
    noise = initial_noise([3, 4], shape=LATENT_SHAPE)
    first = denoised(unet, parts, protocol, noise=noise)
    torch.manual_seed(1234)
    assert torch.equal(first, denoised(unet, parts, protocol, noise=noise))


@pytest.mark.parametrize(
    ("field", "value", "law"),
    [
        ("num_steps", 0, "num_steps: must be greater than or equal to 1, but got 0"),
        ("guidance_scale", 0.5, "guidance_scale: must be greater than or equal to 1, but got 0.5"),
        ("scheduler", "DDPMScheduler", "scheduler: must be 'DDIMScheduler', .* but got 'DDPMScheduler'"),
    ],
)
def test_a_protocol_that_breaks_a_law_does_not_exist(field: str, value: Any, law: str) -> None:
    with pytest.raises(ValueError, match=law):
        SamplingProtocol(**{field: value})
