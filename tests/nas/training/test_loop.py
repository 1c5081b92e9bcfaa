"""The loop: weights that a seed determines, states to go on from bit for bit, and an end at nonsense."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from latency.pricing.scenario import Dtype
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.noise_schedule import NoiseSchedule
from nas.training.data.batches import Batch, TrainingData
from nas.training.denoising import Denoising
from nas.training.distillation import Distillation
from nas.training.latent_set import LatentSet
from nas.training.loop import StepDone, Training, TrainingError
from nas.training.settings import RateSchedule, RobustTrainingSettings
from nas.training.skipping.making import skip_strategy
from nas.training.state import StateError, read_state
from search_spaces import Action, Architecture
from search_spaces.supernet import Supernet
from tests.nas.training.tiny import SCHEDULE, SETTINGS, Rank, Stream, supernet_of, tiny_pictures, tiny_unet

EVERYTHING = replace(
    SETTINGS,
    ema_decay=0.9,
    min_snr_gamma=5.0,
    rate_schedule=RateSchedule.COSINE,
    gradient_accumulation=2,
    gradient_checkpointing=True,
    channels_last=True,
    distill_outputs=0.5,
    distill_features=0.5,
    save_every=2,
)


@pytest.fixture(scope="module")
def tiny() -> UNet2DConditionModel:
    return tiny_unet()


@pytest.fixture(scope="module")
def pictures() -> LatentSet:
    return tiny_pictures()


def training(
    supernet: Supernet,
    data: TrainingData,
    settings: RobustTrainingSettings = SETTINGS,
    *,
    num: int,
    seed: int,
    schedule: NoiseSchedule = SCHEDULE,
    protected: frozenset[str] = frozenset(),
    **more: Any,
) -> Training:
    distillation = None
    if settings.distill_outputs or settings.distill_features:
        distillation = Distillation(
            teacher=supernet_of(tiny_unet()), outputs=settings.distill_outputs, features=settings.distill_features
        )
    return Training(
        supernet,
        data=data,
        objective=Denoising(
            schedule=schedule,
            min_snr_gamma=settings.min_snr_gamma,
            distillation=distillation,
        ),
        strategy=skip_strategy(
            settings.skipping, space=supernet.space, architecture=supernet.architecture, protected=protected
        ),
        settings=settings,
        num_steps=num,
        seed=seed,
        **more,
    )


def trained(
    tiny: UNet2DConditionModel, data: TrainingData, settings: RobustTrainingSettings = SETTINGS, **more: Any
) -> tuple[Supernet, list[float]]:
    supernet = supernet_of(tiny)
    return supernet, training(supernet, data, settings, **more).run()


def same_weights(one: Supernet, other: Supernet) -> bool:
    theirs = other.weights()
    return all(torch.equal(weight, theirs[name]) for name, weight in one.weights().items())


def test_the_same_call_gives_the_same_bits(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    (one, losses_one), (two, losses_two) = (trained(tiny, pictures, num=4, seed=3) for _ in range(2))
    assert losses_one == losses_two
    assert same_weights(one, two)
    assert not same_weights(one, trained(tiny, pictures, num=4, seed=4)[0])


def test_every_process_has_randomness_of_its_own_in_every_step(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    def seeds(*, num: int, **more: Any) -> list[int]:
        seen: list[int] = []
        training(supernet_of(tiny), pictures, num=num, seed=3, **more).run(
            on_step=lambda done: seen.append(torch.initial_seed())
        )
        return seen

    alone = seeds(num=4)
    assert len(set(alone)) == 4
    assert [seeds(num=2, fleet=Rank(rank, 2)) for rank in range(2)] == [alone[0::2], alone[1::2]]


def test_global_randomness_has_no_part_in_it(pictures: LatentSet) -> None:
    tiny = tiny_unet(dropout=0.2)
    _, before = trained(tiny, pictures, num=2, seed=3)
    torch.manual_seed(1234)
    state = torch.get_rng_state()
    assert trained(tiny, pictures, num=2, seed=3)[1] == before
    assert torch.equal(torch.get_rng_state(), state)


def killed_after(num: int) -> Any:
    """What a step tells, until the process is killed."""

    def tell(done: StepDone) -> None:
        if done.step == num:
            raise KeyboardInterrupt

    return tell


Undisturbed = tuple[UNet2DConditionModel, Supernet, list[float]]


@pytest.fixture(scope="module")
def undisturbed(pictures: LatentSet) -> Undisturbed:
    """A UNet that draws random numbers itself, and a training of it that nobody killed."""
    tiny = tiny_unet(dropout=0.2)
    return tiny, *trained(tiny, Stream(pictures), EVERYTHING, num=6, seed=3)


@pytest.mark.parametrize("num_done", [1, 2, 3, 5, 6])
def test_a_killed_training_goes_on_to_the_same_bits(
    num_done: int, undisturbed: Undisturbed, pictures: LatentSet, tmp_path: Path
) -> None:
    """Its batches, losses and weights; the state is of the last even step, and its stream has a position."""
    (tiny, whole, losses), data = undisturbed, Stream(pictures)
    state = tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt):
        training(supernet_of(tiny), data, EVERYTHING, num=6, seed=3, state=state).run(on_step=killed_after(num_done))
    supernet, told = supernet_of(tiny), list[StepDone]()
    again = training(supernet, data, EVERYTHING, num=6, seed=3, state=state)
    assert again.num_done == (num_done - 1) // 2 * 2, "a step that is told is saved afterwards"
    begun = again.num_done
    assert again.run(on_step=told.append) == losses
    assert [done.step for done in told] == list(range(begun + 1, 7))
    assert same_weights(supernet, whole)


def test_float16_goes_on_with_its_scale(tiny: UNet2DConditionModel, pictures: LatentSet, tmp_path: Path) -> None:
    settings = replace(SETTINGS, precision=Dtype.FLOAT16, save_every=1)
    whole, losses = trained(tiny, pictures, settings, num=3, seed=0)
    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        training(supernet_of(tiny), pictures, settings, num=3, seed=0, state=state).run(on_step=killed_after(2))
    supernet = supernet_of(tiny)
    assert training(supernet, pictures, settings, num=3, seed=0, state=state).run() == losses
    assert same_weights(supernet, whole)


def test_a_lower_precision_trains_nearly_the_same(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    exact = trained(tiny, pictures, num=3, seed=0)[1]
    for precision in (Dtype.BFLOAT16, Dtype.FLOAT16):
        losses = trained(tiny, pictures, replace(SETTINGS, precision=precision), num=3, seed=0)[1]
        assert losses == pytest.approx(exact, rel=0.05)
        assert losses != exact


@pytest.mark.parametrize(
    "thrifty", [replace(SETTINGS, gradient_checkpointing=True), replace(SETTINGS, channels_last=True)]
)
def test_what_saves_memory_or_time_changes_nothing_else(
    thrifty: RobustTrainingSettings, tiny: UNet2DConditionModel, pictures: LatentSet
) -> None:
    plain, losses = trained(tiny, pictures, num=3, seed=0)
    other, others = trained(tiny, pictures, thrifty, num=3, seed=0)
    assert others == pytest.approx(losses, rel=1e-4)
    assert other.unet.conv_in.weight.is_contiguous(), "as it was before"
    assert not other.unet.mid_block.gradient_checkpointing
    theirs = other.weights()
    assert all(torch.allclose(weight, theirs[n], atol=2e-3) for n, weight in plain.weights().items())


@pytest.mark.parametrize(
    ("changed", "law"),
    [
        ({"learning_rate": 1e-3}, "differs in settings"),
        ({"num": 7}, "differs in num_steps"),
        ({"seed": 1}, "differs in seed"),
        ({"cut": "-resnet[mid,1]"}, "differs in arch_id"),
        ({"data": True}, "differs in data"),
        ({"origin": {"parent": "other"}}, r"differs in parent \(it is of None"),
    ],
)
def test_a_state_of_another_training_is_refused(
    changed: dict[str, Any], law: str, tiny: UNet2DConditionModel, pictures: LatentSet, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    training(supernet_of(tiny), pictures, num=6, seed=0, state=state).save()
    settings = replace(SETTINGS, **{k: v for k, v in changed.items() if k == "learning_rate"})
    supernet = supernet_of(tiny)
    if "cut" in changed:
        supernet.switch(Action.parse(changed["cut"]).apply(supernet.architecture))
    data = replace(pictures, latents=pictures.latents + 1) if "data" in changed else pictures
    more = {"num": 6, "seed": 0} | {k: v for k, v in changed.items() if k in ("num", "seed", "origin")}
    with pytest.raises(StateError, match=law):
        training(supernet, data, settings, state=state, **more)
    again = replace(SETTINGS, save_every=3, device="cpu", iterations=9, pictures=tmp_path)
    assert training(supernet_of(tiny), pictures, again, num=6, seed=0, state=state).num_done == 0


class Poisoned:
    """Pictures of which one of a step is none."""

    def __init__(self, pictures: LatentSet, *, step: int) -> None:
        self._pictures, self._step, self.digest = pictures, step, "poisoned"

    def batches(self, **how: Any) -> Iterator[Batch]:
        for number, batch in enumerate(self._pictures.batches(**how)):
            latents = batch.latents.clone()
            latents[1] *= float("nan") if number == self._step else 1
            yield replace(batch, latents=latents, pictures=tuple(f"{number}-{row}.png" for row in range(len(latents))))


def test_a_loss_that_is_no_number_ends_the_training_before_any_weight_is_lost(
    tiny: UNet2DConditionModel, pictures: LatentSet, tmp_path: Path
) -> None:
    supernet, told = supernet_of(tiny), list[StepDone]()
    settings, state = replace(SETTINGS, save_every=1), tmp_path / "state"
    work = training(supernet, Poisoned(pictures, step=2), settings, num=5, seed=0, state=state)
    law = (
        r"stopped in step 3 of 5: its loss must be a number of at most `max_loss` \(10000\), but is nan; the step's "
        r"pictures are 2-0\.png, 2-1\.png, 2-2\.png, 2-3\.png\. Lower .*; the state in .*state is .* sound"
    )
    with pytest.raises(TrainingError, match=law):
        work.run(on_step=told.append)
    assert [done.step for done in told] == [1, 2]
    assert all(torch.isfinite(weight).all() for weight in supernet.weights().values())
    assert not supernet.unet.training
    assert training(supernet_of(tiny), Poisoned(pictures, step=9), settings, num=5, seed=0, state=state).num_done == 2


def test_a_loss_that_explodes_ends_the_training(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    settings = replace(SETTINGS, max_loss=1e-3)
    with pytest.raises(TrainingError, match=r"stopped in step 1 of 2: .* at most `max_loss` \(0\.001\), but is"):
        trained(tiny, pictures, settings, num=2, seed=0)


def test_a_batch_must_be_dealt_out_evenly(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    with pytest.raises(ValueError, match=r"multiple of .* \(3\), but is 4; choose among 3 and 6"):
        trained(tiny, pictures, replace(SETTINGS, gradient_accumulation=3), num=2, seed=0)


def test_the_loss_falls(tiny: UNet2DConditionModel) -> None:
    one = LatentSet(
        latents=torch.full((1, 4, 8, 8), 0.5),
        caption_ids=torch.tensor([0]),
        captions=Conditioning(embeddings=torch.zeros(1, 5, 8)),
    )
    schedule, settings = replace(SCHEDULE, prediction_type="sample"), replace(SETTINGS, drop_probability=0.1)
    losses = trained(tiny, one, settings, num=30, seed=0, schedule=schedule)[1]
    assert np.mean(losses[-5:]) < 0.3 * np.mean(losses[:5])


def test_training_gives_the_average_and_draws_with_it_on_the_way(
    tiny: UNet2DConditionModel, pictures: LatentSet
) -> None:
    settings, supernet = replace(SETTINGS, ema_decay=0.999), supernet_of(tiny)
    work, raw, averaged = training(supernet, pictures, settings, num=4, seed=0), list[Any](), list[Any]()

    def look(done: StepDone) -> None:
        raw.append(supernet.module.conv_in.weight.detach().clone())
        with work.averaged() as drawing:
            assert not drawing.module.training
            averaged.append(drawing.module.conv_in.weight.detach().clone())
        assert torch.equal(supernet.module.conv_in.weight, raw[-1])

    losses = work.run(on_step=look)
    plain, same = trained(tiny, pictures, num=4, seed=0)
    assert losses == same, "what is averaged, and looked at, is trained the same"
    assert torch.equal(raw[-1], plain.unet.conv_in.weight)
    assert torch.equal(supernet.unet.conv_in.weight, averaged[-1])
    assert not torch.equal(averaged[-1], raw[-1])


def test_training_leaves_the_architecture_current_and_the_unet_ready(
    tiny: UNet2DConditionModel, pictures: LatentSet
) -> None:
    supernet, losses = trained(tiny, pictures, num=3, seed=0)
    assert supernet.architecture == supernet.space.base
    assert not supernet.unet.training
    assert len(losses) == 3


def test_every_step_is_told(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    told: list[StepDone] = []
    settings = replace(SETTINGS, drop_probability=0.0)
    losses = training(supernet_of(tiny), pictures, settings, num=2, seed=0).run(on_step=told.append)
    assert [(done.step, done.num_steps, done.loss) for done in told] == [(1, 2, losses[0]), (2, 2, losses[1])]
    assert told[0].learning_rate == SETTINGS.learning_rate
    assert all(done.skipped == 0 and done.gradient_norm > 0 for done in told)


def test_a_removed_block_is_not_in_the_optimizer(
    tiny: UNet2DConditionModel, pictures: LatentSet, tmp_path: Path
) -> None:
    supernet = supernet_of(tiny)
    before = {name: weight.clone() for name, weight in supernet.weights().items()}
    supernet.switch(Action.parse("-resnet[mid,1]").apply(supernet.space.base))
    settings, path = replace(SETTINGS, weight_decay=0.5), tmp_path / "state"
    work = training(supernet, pictures, settings, num=3, seed=0, state=path)
    work.run()
    work.save()
    state = read_state(path, identity={})
    assert state is not None
    changed = {name for name, weight in supernet.weights().items() if not torch.equal(weight, before[name])}
    assert changed
    assert not any(name.startswith("mid_block.resnets.1.") for name in {*changed, *state.weights, *state.moments})
    assert state.moments.keys() <= state.weights.keys()
    assert any(name.startswith("mid_block.resnets.0.") for name in state.moments)


class Watched(Supernet):
    """Remembers every architecture that it computed."""

    def switch(self, architecture: Architecture, /) -> None:
        super().switch(architecture)
        self.seen = [*getattr(self, "seen", []), architecture]


def test_training_never_skips_a_protected_block(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    supernet = Watched(copy.deepcopy(tiny), space=supernet_of(tiny).space)
    base = supernet.space.base
    first, *others = supernet.space.removals(base)
    settings, protected = replace(SETTINGS, drop_probability=0.9), frozenset(str(action)[1:] for action in others)
    training(supernet, pictures, settings, num=8, seed=0, protected=protected).run()
    assert set(supernet.seen) == {base, first.apply(base)}, "only the block that nobody protects is skipped"
