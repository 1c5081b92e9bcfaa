"""The losses of students: what the exact solution gets, what guidance changes, and who learns."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, LCMScheduler
from torch import Tensor

from nas.distillation.steps.losses.answering import Answering, Teacher
from nas.distillation.steps.losses.consistency import Consistency
from nas.distillation.steps.losses.conversion import Conversion
from nas.distillation.steps.losses.ddim import Process, Schedule
from nas.distillation.steps.losses.step_loss import StepDistillation
from nas.distillation.steps.settings import LossSettings, Weighting
from nas.training.objective import Draws
from search_spaces import space_from_config
from search_spaces.supernet import Supernet
from tests.nas.training.tiny import TINY, supernet_of, tiny_pictures, tiny_unet

VANILLA = LossSettings(cfg_probability=0, original_weight=0)
SHAPE = (6, 4, 8, 8)
LATENTS = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3))
TEXT = tiny_pictures().captions[torch.tensor([1, 2, 1, 2, 0, 1])]
EMPTY = tiny_pictures().captions[:1]


def ddim(kind: str = "v_prediction", *, zero_snr: bool = True) -> DDIMScheduler:
    return DDIMScheduler(
        prediction_type=kind, rescale_betas_zero_snr=zero_snr, timestep_spacing="trailing", set_alpha_to_one=False
    )


def objective(loss: LossSettings, *, num_steps: int = 4, each: int = 2, told: int | None = None) -> StepDistillation:
    made = ddim()
    asked = Answering(kind="v_prediction", process=Process.of(made), empty=EMPTY)
    return StepDistillation(
        teacher=Teacher(supernet=supernet_of(tiny_unet()), answering=asked),
        student=replace(asked, told=told),
        schedule=Schedule.of(made, num_steps=num_steps),
        teacher_steps_per_step=each,
        loss=loss,
    )


def exercise(of: Any, *, seed: int = 0) -> Any:
    draws: Draws = of.draws(SHAPE, generator=torch.Generator().manual_seed(seed))
    return of.posed(LATENTS, draws=draws, text=TEXT, computing=nullcontext)


@dataclass
class Answers:
    """A student that gives answers which a test worked out."""

    v: Tensor

    @property
    def unet(self) -> Any:
        return lambda *inputs, **text: SimpleNamespace(sample=self.v)


def test_the_exact_solution_has_no_loss_and_any_other_has() -> None:
    posed = exercise(objective(VANILLA))
    alpha, sigma = posed.objective.student.process.at(posed.timesteps)
    exact = Answers((alpha * posed.z - posed.target) / sigma)
    assert float(posed.loss(exact, computing=nullcontext)) < 1e-9
    off = 0.1 * torch.ones(SHAPE)
    weights = (alpha**2 / sigma**2).clamp(min=1)
    expected = float((weights * (sigma * off) ** 2).mean())
    assert float(posed.loss(Answers(exact.v + off), computing=nullcontext)) == pytest.approx(expected, rel=1e-3)


def test_a_teacher_is_the_exact_student_of_its_own_single_steps() -> None:
    of = objective(LossSettings(), each=1)  # guided or not, and whatever is mixed in
    guided = replace(of, loss=LossSettings(cfg_probability=1, cfg_lowest=3, cfg_highest=5))
    for each in (of, guided):
        assert float(exercise(each).loss(of.teacher.supernet, computing=nullcontext).detach()) < 1e-9
    assert float(exercise(objective(VANILLA, each=2)).loss(of.teacher.supernet, computing=nullcontext).detach()) > 1e-9


def test_guidance_of_one_is_the_vanilla_loss_and_more_is_not() -> None:
    student = supernet_of(tiny_unet(attention_head_dim=4))
    losses = [
        float(exercise(objective(loss)).loss(student, computing=nullcontext).detach())
        for loss in (
            VANILLA,
            replace(VANILLA, cfg_probability=1, cfg_lowest=1, cfg_highest=1),
            replace(VANILLA, cfg_probability=1, cfg_lowest=4, cfg_highest=4),
        )
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2] != pytest.approx(losses[0], rel=1e-3)


def test_all_pictures_of_a_step_are_guided_or_none_and_as_often_as_asked() -> None:
    of = objective(LossSettings(cfg_probability=0.3, cfg_lowest=2, cfg_highest=5))
    draws = [of.draws(SHAPE, generator=torch.Generator().manual_seed(seed)) for seed in range(400)]
    assert all(len(set(each["guided"].tolist())) == 1 for each in draws)
    assert 0.2 < sum(bool(each["guided"][0]) for each in draws) / 400 < 0.4
    w = torch.cat([each["w"] for each in draws])
    assert float(w.min()) >= 2
    assert float(w.max()) <= 5
    assert float(w.std()) == pytest.approx(3 / 12**0.5, rel=0.1)


@pytest.mark.parametrize("rescaled", [True, False])
def test_the_original_loss_counts_gamma_times_once_it_has_the_size_of_the_other(rescaled: bool) -> None:
    student = supernet_of(tiny_unet(attention_head_dim=4))
    with_gamma = replace(VANILLA, original_weight=0.2, original_rescaled=rescaled)
    plain = float(exercise(objective(VANILLA)).loss(student, computing=nullcontext).detach())
    posed = exercise(objective(with_gamma))
    both = posed.loss(student, computing=nullcontext)
    v = student.unet(posed.z, posed.timesteps, **TEXT.arguments()).sample
    original = float(((v - posed.original) ** 2).mean().detach())
    assert float(both.detach()) == pytest.approx(plain * 1.2 if rescaled else plain + 0.2 * original, rel=1e-4)


@pytest.mark.parametrize("weighting", list(Weighting))
def test_weights_of_the_picture(weighting: Weighting) -> None:
    of = objective(replace(VANILLA, weighting=weighting))
    alpha, sigma = of.student.process.at(torch.tensor([999, 500, 124]))
    snr = (alpha**2 / sigma**2).flatten()
    assert snr[0] == 0
    assert snr[2] > 1
    wanted = {"truncated_snr": snr.clamp(min=1), "snr_plus_one": snr + 1, "uniform": torch.ones(3)}[weighting]
    assert torch.allclose(of.weights(alpha, sigma).flatten(), wanted)


def test_only_the_student_learns() -> None:
    of, student = objective(LossSettings(cfg_probability=1)), supernet_of(tiny_unet(attention_head_dim=4))
    exercise(of).loss(student, computing=nullcontext).backward()
    assert all(each.grad is not None for each in student.unet.parameters())
    assert all(each.grad is None for each in of.teacher.supernet.unet.parameters())


def test_a_student_that_is_told_its_guidance_answers_in_one_pass_and_learns_what_it_is_told() -> None:
    told = Supernet(tiny_unet(time_cond_proj_dim=16), space=space_from_config(TINY))
    of = objective(LossSettings(cfg_probability=0, original_weight=0), told=16)
    assert of.draws(SHAPE, generator=torch.Generator())["guided"].all()
    exercise(of).loss(told, computing=nullcontext).backward()
    assert told.unet.time_embedding.cond_proj.weight.grad.abs().max() > 0


def test_conversion_asks_for_what_the_teacher_says_in_terms_of_v() -> None:
    made = ddim("epsilon", zero_snr=False)
    process, teacher = Process.of(made), supernet_of(tiny_unet())
    of = Conversion(
        teacher=Teacher(supernet=teacher, answering=Answering(kind="epsilon", process=process, empty=EMPTY)),
        student=Answering(kind="v_prediction", process=process, empty=EMPTY),
        loss=VANILLA,
    )
    posed = exercise(of)
    assert float(posed.loss(Answers(posed.target), computing=nullcontext)) == 0
    with torch.no_grad():
        eps = teacher.unet(posed.z, posed.timesteps, **TEXT.arguments()).sample
    alpha, sigma = process.at(posed.timesteps)
    assert torch.allclose(posed.target, (eps - sigma * posed.z) / alpha, atol=1e-3)  # v in terms of eps and z


def test_consistency_sees_the_latents_themselves_where_there_is_no_noise_and_scales_as_its_sampler() -> None:
    made = ddim()
    asked = Answering(kind="v_prediction", process=Process.of(made), empty=EMPTY)
    teacher = Teacher(supernet=supernet_of(tiny_unet()), answering=asked)
    of = Consistency(
        teacher=teacher, student=asked, schedule=Schedule.of(made, num_steps=50), loss=LossSettings(huber=1e-3)
    )
    timesteps, w = torch.tensor([0, 1, 19, 500, 999, 999]), torch.ones(6)
    with torch.no_grad():
        seen = of.picture(teacher.supernet, LATENTS, timesteps=timesteps, text=TEXT, computing=nullcontext, w=w)
        v = teacher.supernet.unet(LATENTS, timesteps, **TEXT.arguments()).sample
    assert torch.equal(seen[0], LATENTS[0])
    lcm, (alpha, sigma) = LCMScheduler(), asked.process.at(timesteps)
    for row, t in enumerate(timesteps):
        skip, out = lcm.get_scalings_for_boundary_condition_discrete(t)
        wanted = skip * LATENTS[row] + out * (alpha * LATENTS - sigma * v)[row]
        assert torch.allclose(seen[row], wanted, atol=1e-5)
    loss = exercise(of).loss(teacher.supernet, computing=nullcontext)
    assert 0 < float(loss.detach()) < 10
