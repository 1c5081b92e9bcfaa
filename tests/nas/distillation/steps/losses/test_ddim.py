"""The mathematics of step distillation, against diffusers and against independent computations in float64."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from nas.distillation.steps.losses.ddim import (
    END,
    Process,
    Schedule,
    check_kind,
    one_step_target,
    picture_and_noise,
    v_of,
)

GENERATOR = torch.Generator().manual_seed(0)
X, EPS = torch.randn(2, 6, 4, 8, 8, generator=GENERATOR, dtype=torch.float64)
TIMESTEPS = torch.tensor([0, 1, 100, 500, 998, 999])


def scheduler(*, zero_snr: bool = True, to_one: bool = False) -> DDIMScheduler:
    return DDIMScheduler(
        rescale_betas_zero_snr=zero_snr,
        set_alpha_to_one=to_one,
        timestep_spacing="trailing",
        prediction_type="v_prediction",
        clip_sample=False,
    )


def process(made: DDIMScheduler) -> Process:
    found = Process.of(made)
    return Process(alphas_cumprod=found.alphas_cumprod.double(), final_alpha_cumprod=found.final_alpha_cumprod.double())


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_every_prediction_means_its_picture_and_noise_and_converts_to_v_exactly(kind: str) -> None:
    alpha, sigma = process(scheduler(zero_snr=False)).at(TIMESTEPS)
    v = alpha * EPS - sigma * X
    output = {"epsilon": EPS, "v_prediction": v, "sample": X}[kind]
    x, eps = picture_and_noise(kind, output, z=alpha * X + sigma * EPS, alpha=alpha, sigma=sigma)
    assert torch.allclose(x, X, atol=1e-11)
    assert torch.allclose(eps, EPS, atol=1e-11)
    assert torch.allclose(v_of(x, eps, alpha=alpha, sigma=sigma), v, atol=1e-11)


def test_another_prediction_and_noise_of_nothing_but_noise_are_refused() -> None:
    one = torch.ones(1, 1, 1, 1)
    with pytest.raises(ValueError, match="must be epsilon, v_prediction or sample, but got 'flow'"):
        picture_and_noise("flow", one, z=one, alpha=one, sigma=one)
    check_kind("epsilon", Process.of(scheduler(zero_snr=False)), name="the teacher")
    check_kind("v_prediction", Process.of(scheduler()), name="the teacher")
    with pytest.raises(ValueError, match=r"the teacher predicts noise \(epsilon\), but the last timestep .* no signal"):
        check_kind("epsilon", Process.of(scheduler()), name="the teacher")


def sines(z: Tensor, t: int) -> Tensor:
    """A UNet's answers, of any float type."""
    return (z * (1 + t / 1000)).sin()


@pytest.mark.parametrize("to_one", [False, True])
@pytest.mark.parametrize("num_steps", [1, 2, 3, 7, 8, 16, 50])
def test_its_steps_are_those_of_diffusers(num_steps: int, to_one: bool) -> None:
    made = scheduler(to_one=to_one)
    schedule, of = Schedule.of(made, num_steps=num_steps), Process.of(made)
    theirs = ours = X[:1].float()
    for t in made.timesteps:
        theirs = made.step(sines(theirs, int(t)), t, theirs).prev_sample
    for start, end in zip(schedule.starts[:, None], schedule.ends[:, None], strict=True):
        alpha, sigma = of.at(start)
        x, eps = picture_and_noise("v_prediction", sines(ours, int(start)), z=ours, alpha=alpha, sigma=sigma)
        alpha, sigma = of.at(end)
        ours = alpha * x + sigma * eps
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert int(schedule.starts[0]) == 999


def test_two_steps_in_one_agree_with_numpy_in_float64() -> None:
    """z_t to z_t'' in two steps, then x* by the formula: one step of DDIM from z_t with x* must end at z_t''."""
    made = scheduler()
    schedule, of = Schedule.of(made, num_steps=4), process(made)
    squared = np.append(made.alphas_cumprod.double().numpy(), float(made.final_alpha_cumprod))
    for index, (start, middle, end) in enumerate([(999, 874, 749), (749, 624, 499), (499, 374, 249), (249, 124, END)]):
        through = schedule.between(torch.tensor([index]), num=2)
        assert [int(each) for each in through] == [start, middle, end]
        z = z_t = X[0].numpy()
        for t, following in ((start, middle), (middle, end)):
            a, s = squared[t] ** 0.5, (1 - squared[t]) ** 0.5
            v = np.sin(z * (1 + t / 1000))
            x, eps = a * z - s * v, s * z + a * v
            z = squared[following] ** 0.5 * x + (1 - squared[following]) ** 0.5 * eps
        a, s, a_end, s_end = (
            squared[start] ** 0.5,
            (1 - squared[start]) ** 0.5,
            squared[end] ** 0.5,
            (1 - squared[end]) ** 0.5,
        )
        wanted = (z - s_end / s * z_t) / (a_end - s_end / s * a)
        alpha, sigma = of.at(through[0])
        alpha_end, sigma_end = of.at(through[2])
        x_star = one_step_target(
            torch.from_numpy(z_t),
            torch.from_numpy(z),
            alpha=alpha,
            sigma=sigma,
            alpha_end=alpha_end,
            sigma_end=sigma_end,
        )
        assert np.allclose(x_star.numpy(), wanted, atol=1e-9)
        eps_star = (z_t - a * wanted) / s
        assert np.allclose(a_end * wanted + s_end * eps_star, z, atol=1e-9)


@pytest.mark.parametrize("num", [1, 2, 3, 4, 8])
def test_steps_between_are_equal_to_a_timestep_and_end_where_the_one_ends(num: int) -> None:
    schedule = Schedule.of(scheduler(), num_steps=8)
    index = torch.arange(8)
    through = torch.stack(schedule.between(index, num=num))
    assert torch.equal(through[0], schedule.starts)
    assert torch.equal(through[-1], schedule.ends)
    widths = through[:-1] - through[1:]
    assert int((widths.max(0).values - widths.min(0).values).max()) <= 1
    assert int(widths.min()) >= 1
