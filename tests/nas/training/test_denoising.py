"""What is minimised: min-SNR in the units of each prediction, and what a teacher adds."""

from contextlib import nullcontext

import pytest
import torch
from diffusers import DDIMScheduler

from nas.pipelines.noise_schedule import NoiseSchedule
from nas.training.denoising import Denoising
from nas.training.distillation import Distillation, Lesson, watched
from search_spaces import Action
from tests.nas.training.tiny import SCHEDULE, supernet_of, tiny_pictures, tiny_unet

TIMESTEPS = torch.tensor([0, 1, 100, 500, 998, 999])
GENERATOR = torch.Generator().manual_seed(0)
LATENTS, NOISE, WRONG = torch.randn(3, len(TIMESTEPS), 4, 8, 8, generator=GENERATOR, dtype=torch.float64)


def objective(prediction_type: str, *, gamma: float | None = 5.0, zero_snr: bool = False) -> Denoising:
    scheduler = DDIMScheduler(prediction_type=prediction_type, rescale_betas_zero_snr=zero_snr)
    return Denoising(schedule=NoiseSchedule.of(scheduler), min_snr_gamma=gamma)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_every_prediction_is_weighted_as_the_picture_that_it_means(prediction_type: str) -> None:
    """The picture's error counts min(SNR, gamma) times, whatever is predicted: the law of the paper, from scratch."""
    of = objective(prediction_type)
    alphas_cumprod = of.schedule.alphas_cumprod[TIMESTEPS].double().view(-1, 1, 1, 1)
    alpha, sigma = alphas_cumprod.sqrt(), (1 - alphas_cumprod).sqrt()
    task = of.task(LATENTS, noise=NOISE, timesteps=TIMESTEPS)
    predicted = task.target + WRONG
    picture = {
        "epsilon": (task.noisy - sigma * predicted) / alpha,
        "v_prediction": alpha * task.noisy - sigma * predicted,
        "sample": predicted,
    }[prediction_type]
    snr = (alpha / sigma).flatten() ** 2
    expected = (((picture - LATENTS) ** 2).mean(dim=(1, 2, 3)) * snr.clamp(max=5)).mean()
    assert float(of.error(predicted, task)) == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize(("prediction_type", "at_the_end"), [("epsilon", 1.0), ("v_prediction", 0.0), ("sample", 0.0)])
def test_zero_terminal_snr_has_the_limit_as_its_weight(prediction_type: str, at_the_end: float) -> None:
    of = objective(prediction_type, zero_snr=True)
    assert of.schedule.alphas_cumprod[-1] == 0
    weights = of.weights(torch.arange(len(of.schedule)))
    assert torch.isfinite(weights).all()
    assert float(weights[-1]) == at_the_end
    assert float(weights[-2]) == pytest.approx(at_the_end, abs=1e-3)


def test_without_gamma_the_error_is_the_plain_mean_square() -> None:
    of = objective("v_prediction", gamma=None)
    task = of.task(LATENTS, noise=NOISE, timesteps=TIMESTEPS)
    assert float(of.error(task.target + WRONG, task)) == pytest.approx(float((WRONG**2).mean()))
    assert of.weights(TIMESTEPS).tolist() == [1.0] * len(TIMESTEPS)


def test_a_student_that_is_its_teacher_has_nothing_to_learn_and_one_that_lacks_a_block_does() -> None:
    unet = tiny_unet()
    teacher, student = supernet_of(unet), supernet_of(unet)
    distillation = Distillation(teacher=teacher, outputs=2.0, features=3.0)
    noisy, timesteps, text = torch.randn(2, 4, 8, 8), torch.tensor([3, 700]), tiny_pictures().captions[:2]
    lesson = distillation.lesson(noisy, timesteps, text=text)
    assert set(lesson.features) == {"down.0", "down.1", "mid", "up.0", "up.1"}

    def learned(*removed: str) -> tuple[float, float, set[str]]:
        architecture = student.space.base
        for action in removed:
            architecture = Action.parse(action).apply(architecture)
        with student.switched(architecture) as unet, watched(student) as features, torch.no_grad():
            predicted = unet(noisy, timesteps, **text.arguments()).sample
        of_features = sum(float(((features[p] - lesson.features[p]) ** 2).mean()) for p in features)
        expected = 2 * float(((predicted - lesson.predicted) ** 2).mean()) + 3 * of_features
        differing = {p for p in features if not torch.equal(features[p], lesson.features[p])}
        return float(distillation.loss(predicted, features, lesson=lesson)), expected, differing

    assert learned() == (0.0, 0.0, set())
    loss, expected, differing = learned("-resnet[mid,1]")
    assert loss == pytest.approx(expected, rel=1e-5)
    assert loss > 0
    assert differing == {"mid", "up.0", "up.1"}, "stages before the block are as they were"


def test_a_teacher_gets_no_gradients() -> None:
    teacher = supernet_of(tiny_unet())
    text = tiny_pictures().captions[:2]
    lesson = Distillation(teacher=teacher, outputs=1).lesson(torch.randn(2, 4, 8, 8), torch.tensor([3, 700]), text=text)
    assert not lesson.predicted.requires_grad
    assert lesson.features == {}, "features that do not count are not kept"


def test_the_loss_is_the_error_and_what_a_teacher_adds() -> None:
    teacher, student = supernet_of(tiny_unet()), supernet_of(tiny_unet())
    teacher.switch(Action.parse("-resnet[mid,1]").apply(teacher.space.base))
    distillation, text = Distillation(teacher=teacher, outputs=2.0, features=3.0), tiny_pictures().captions[:2]
    draws = {"noise": NOISE[:2].float(), "timesteps": TIMESTEPS[2:4]}
    alone, taught = (
        Denoising(schedule=SCHEDULE, distillation=each).posed(
            LATENTS[:2].float(), draws=draws, text=text, computing=nullcontext
        )
        for each in (None, distillation)
    )
    assert taught.lesson is not None
    with watched(student) as features, torch.no_grad():
        predicted = student.unet(taught.task.noisy, taught.task.timesteps, **text.arguments()).sample
    error, both = (each.loss(student, computing=nullcontext).item() for each in (alone, taught))
    added = float(distillation.loss(predicted, features, lesson=taught.lesson))
    assert both == pytest.approx(error + added)
    assert added > 0


def test_a_stage_that_the_teacher_has_in_another_size_or_not_teaches_nothing() -> None:
    predicted, feature = torch.randn(1, 4, 8, 8), torch.randn(1, 8, 8, 8)
    lesson = Lesson(predicted=predicted, features={"down.0": feature[..., ::2], "mid": feature + 2})
    distillation = Distillation(teacher=supernet_of(tiny_unet()), features=3.0)
    learned = distillation.loss(predicted, {"down.0": feature, "mid": feature, "up.0": feature}, lesson=lesson)
    assert float(learned) == pytest.approx(3.0 * 4.0)


def test_an_unknown_prediction_is_refused() -> None:
    schedule = NoiseSchedule(alphas_cumprod=SCHEDULE.alphas_cumprod, prediction_type="flow")
    with pytest.raises(ValueError, match="must be epsilon, v_prediction or sample, but got 'flow'"):
        Denoising(schedule=schedule).task(LATENTS, noise=NOISE, timesteps=TIMESTEPS)
