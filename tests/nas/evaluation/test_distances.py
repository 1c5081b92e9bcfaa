"""Distances of pictures and latents keep the laws of scores, and can be taken to a round's own network."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from nas.evaluation.distances import LatentDistance, PictureDistance
from nas.evaluation.door import Declaration, Reference, Score, ScoreError
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.output_change import OutputChange
from nas.evaluation.setting import ScoreSetting
from nas.testing.scores import ScoreLaws
from search_spaces.architecture import Architecture
from search_spaces.supernet import Supernet


class _Small(ScoreLaws):
    @pytest.fixture
    def setting(self, small_setting: ScoreSetting) -> ScoreSetting:
        return small_setting


class TestPictureDistance(_Small):
    @pytest.fixture
    def make(self) -> Callable[[ScoreSetting], Score]:
        return PictureDistance


class TestLatentDistance(_Small):
    @pytest.fixture
    def make(self) -> Callable[[ScoreSetting], Score]:
        return partial(LatentDistance, reference="round")


@pytest.fixture
def supernet(small_setting: ScoreSetting) -> Supernet:
    return Supernet(small_setting.model.load_unet().requires_grad_(False))


@pytest.fixture
def changed(supernet: Supernet) -> Architecture:
    base = supernet.space.base
    return min(supernet.space.removals(base)).apply(base)


@pytest.mark.parametrize("kind", [PictureDistance, LatentDistance, partial(OutputChange, relative=True)])
def test_to_a_round_s_own_network_it_is_0_and_back_again(
    small_setting: ScoreSetting, supernet: Supernet, changed: Architecture, kind: Any
) -> None:
    score = kind(small_setting, reference="round")
    assert Declaration.of(score).reference is Reference.ROUND
    assert score.digest != kind(small_setting).digest
    with supernet.switched(supernet.space.base) as base:
        evaluator = Evaluator(small_setting, score=score, reference=base)

    def distances(architecture: Architecture) -> tuple[float, ...]:
        with supernet.switched(architecture) as unet:
            return evaluator.evaluate(unet, chunk=0).scores

    def refer(architecture: Architecture) -> None:
        with supernet.switched(architecture) as unet:
            evaluator.refer(unet, key=architecture)

    before = distances(changed)
    assert not evaluator.refers_to(changed)
    refer(changed)
    assert evaluator.refers_to(changed)
    assert set(distances(changed)) == {0.0}
    assert min(distances(supernet.space.base)) > 0
    refer(supernet.space.base)
    assert distances(changed) == before


@pytest.mark.parametrize("kind", [PictureDistance, LatentDistance, OutputChange])
def test_another_reference_than_these_is_refused(small_setting: ScoreSetting, kind: Any) -> None:
    with pytest.raises(ScoreError, match=r"`reference` of \w+ must be model or round, but got 'base'"):
        kind(small_setting, reference="base")
