"""Captions name scenes uniquely, and the held-out tenth stays the same tenth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.shapes.scenes import (
    AND,
    BACKGROUNDS,
    COLOURS,
    COUNTS,
    PLACES,
    RELATIONS,
    TEXTURES,
    THINGS,
    Group,
    Scene,
    caption_of,
    is_held_out,
    near_miss,
    sample_scene,
)
from tests.strategies import scenes

SEEDS = st.integers(0, 2**32 - 1)
RED_RING, FISH = Group(thing="ring", colour="red"), Group(thing="fish", colour="orange", texture="striped", count=2)


def sampled(num: int) -> list[Scene]:
    rng = np.random.default_rng(7)
    return [sample_scene(rng) for _ in range(num)]


@given(scenes(), scenes())
def test_a_caption_is_of_one_scene_alone(one: Scene, other: Scene) -> None:
    assert (caption_of(one) == caption_of(other)) is (one == other)


def test_a_tenth_of_the_captions_is_held_out() -> None:
    captions = {caption_of(scene) for scene in sampled(20_000)}
    assert np.mean([is_held_out(caption) for caption in captions]) == pytest.approx(0.1, abs=0.006)
    assert is_held_out("three blue hearts above a pink square on a background from white to green")
    assert not is_held_out("a red star")


@pytest.mark.parametrize(
    ("scene", "caption"),
    [
        (Scene(groups=(RED_RING,)), "a red ring"),
        (
            Scene(groups=(Group(thing="house", colour="orange", size="small"),), place="left", background="black"),
            "a small orange house at the left on a black background",
        ),
        (Scene(groups=(Group(thing="cup", colour="orange"),), place="centre"), "an orange cup in the centre"),
        (
            Scene(groups=(RED_RING, FISH), relation="left of", background="gray", fades_to="blue"),
            "a red ring left of two striped orange fish on a background from gray to blue",
        ),
        (Scene(groups=(FISH, RED_RING), relation=AND), "two striped orange fish and a red ring"),
    ],
)
def test_captions(scene: Scene, caption: str) -> None:
    assert caption_of(scene) == caption


@given(scenes(), SEEDS)
def test_a_near_miss_has_another_caption(scene: Scene, seed: int) -> None:
    other = near_miss(scene, np.random.default_rng(seed))
    assert caption_of(other) != caption_of(scene)
    assert len(other.groups) == len(scene.groups)


def test_sampling_is_seeded_and_shows_everything() -> None:
    drawn = sampled(2000)
    assert drawn == sampled(2000)
    groups = [group for scene in drawn for group in scene.groups]
    assert {group.thing for group in groups} == set(THINGS)
    assert {group.colour for group in groups} == set(COLOURS)
    assert {group.texture for group in groups} == set(TEXTURES)
    assert {group.count for group in groups} == set(COUNTS)
    assert {scene.background for scene in drawn} == set(BACKGROUNDS)
    assert {scene.fades_to for scene in drawn} == {None, *BACKGROUNDS}
    assert {scene.place for scene in drawn} == set(PLACES)
    assert {scene.relation for scene in drawn} == {None, AND, *RELATIONS}
    assert {scene.num_things for scene in drawn} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Group(thing="cross", colour="red"), "`thing` must be one of circle, .*, but got 'cross'"),
        (lambda: Group(thing="ring", colour="white"), "`colour` must be one of red, .*, but got 'white'"),
        (lambda: Group(thing="ring", colour="red", size="huge"), "`size` must be one of .*, but got 'huge'"),
        (lambda: Group(thing="ring", colour="red", count=5), "`count` must be one of 1, 2, 3, 4, but got 5"),
        (lambda: Group(thing="ring", colour="red", texture="furry"), "`texture` must be one of plain, .*'furry'"),
        (lambda: Scene(groups=(RED_RING,), background="red"), "`background` must be one of white, .*, but got 'red'"),
        (lambda: Scene(groups=(RED_RING,), fades_to="red"), "`fades_to` must be one of white, .*, but got 'red'"),
        (lambda: Scene(groups=(RED_RING,), fades_to="white"), "`fades_to` must be another colour than the background"),
        (lambda: Scene(groups=(RED_RING,), place="corner"), "`place` must be one of anywhere, .*, but got 'corner'"),
        (lambda: Scene(groups=(RED_RING,), relation="above"), "`relation` belongs to two groups"),
        (lambda: Scene(groups=(RED_RING, FISH)), "`relation` belongs to two groups, but 2 have None"),
        (lambda: Scene(groups=(RED_RING, FISH), relation="near"), "`relation` must be one of and, .*, but got 'near'"),
        (lambda: Scene(groups=(RED_RING, RED_RING), relation=AND), "must differ in thing or colour"),
        (lambda: Scene(groups=(RED_RING, FISH), relation="above", place="top"), "`place` and `size` belong to a thing"),
        (lambda: Scene(groups=()), "`groups` must hold one or two groups, but got 0"),
        (
            lambda: Scene(groups=(FISH, Group(thing="cup", colour="red", count=3)), relation=AND),
            "must hold at most 4 things, but got 5",
        ),
    ],
)
def test_impossible_scenes_cannot_be_made(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]
