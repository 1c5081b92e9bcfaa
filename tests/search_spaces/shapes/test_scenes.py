"""Captions name scenes uniquely, and the held-out tenth stays the same tenth."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.shapes.scenes import (
    BACKGROUNDS,
    COLOURS,
    PLACES,
    RELATIONS,
    SHAPES,
    SIZES,
    Item,
    Scene,
    caption_of,
    is_held_out,
    near_miss,
    sample_scene,
)
from tests.strategies import scenes

RED_RING = Item(shape="ring", colour="red")


def every_scene() -> list[Scene]:
    alone = [Item(shape=s, colour=c, size=z) for s, c, z in itertools.product(SHAPES, COLOURS, SIZES)]
    plain = [item for item in alone if item.size == "medium"]
    return [
        Scene(items=(item,), background=background, place=place)
        for item, background, place in itertools.product(alone, BACKGROUNDS, PLACES)
    ] + [
        Scene(items=(first, second), background=background, relation=relation)
        for first, second, background, relation in itertools.product(plain, plain, BACKGROUNDS, RELATIONS)
    ]


def test_every_scene_has_a_caption_of_its_own_and_a_tenth_is_held_out() -> None:
    captions = [caption_of(scene) for scene in every_scene()]
    assert len(captions) == 5 * 6 * 3 * 4 * 5 + (5 * 6) ** 2 * 4 * 4
    assert len(set(captions)) == len(captions)
    assert np.mean([is_held_out(caption) for caption in captions]) == pytest.approx(0.1, abs=0.005)


@pytest.mark.parametrize(
    ("scene", "caption"),
    [
        (Scene(items=(RED_RING,)), "a red ring"),
        (
            Scene(items=(Item(shape="cross", colour="orange", size="small"),), place="left", background="black"),
            "a small orange cross at the left on a black background",
        ),
        (Scene(items=(Item(shape="cross", colour="orange"),), place="top"), "an orange cross at the top"),
        (
            Scene(items=(RED_RING, Item(shape="square", colour="orange")), relation="left of", background="pink"),
            "a red ring left of an orange square on a pink background",
        ),
    ],
)
def test_captions(scene: Scene, caption: str) -> None:
    assert caption_of(scene) == caption


@given(scenes(), st.integers(0, 2**32 - 1))
def test_a_near_miss_has_another_caption(scene: Scene, seed: int) -> None:
    other = near_miss(scene, np.random.default_rng(seed))
    assert caption_of(other) != caption_of(scene)
    assert len(other.items) == len(scene.items)


def test_sampling_is_seeded_and_shows_everything() -> None:
    def sampled() -> list[Scene]:
        rng = np.random.default_rng(7)
        return [sample_scene(rng) for _ in range(2000)]

    drawn = sampled()
    assert drawn == sampled()
    assert {item.shape for scene in drawn for item in scene.items} == set(SHAPES)
    assert {item.colour for scene in drawn for item in scene.items} == set(COLOURS)
    assert {scene.background for scene in drawn} == set(BACKGROUNDS)
    assert {scene.place for scene in drawn} == set(PLACES)
    assert {scene.relation for scene in drawn} == {None, *RELATIONS}
    assert np.mean([scene.relation is None for scene in drawn]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Item(shape="star", colour="red"), "`shape` must be one of circle, .*, but got 'star'"),
        (lambda: Item(shape="ring", colour="brown"), "`colour` must be one of red, .*, but got 'brown'"),
        (lambda: Item(shape="ring", colour="red", size="huge"), "`size` must be one of .*, but got 'huge'"),
        (lambda: Scene(items=(RED_RING,), background="red"), "`background` must be one of white, .*, but got 'red'"),
        (lambda: Scene(items=(RED_RING,), place="corner"), "`place` must be one of centre, .*, but got 'corner'"),
        (lambda: Scene(items=(RED_RING,), relation="above"), "`relation` needs two items"),
        (lambda: Scene(items=(RED_RING, RED_RING)), "`relation` must be one of above, .*, but got None"),
        (lambda: Scene(items=(RED_RING,) * 2, relation="above", place="top"), "`place` must be centre for two items"),
        (
            lambda: Scene(items=(RED_RING, Item(shape="ring", colour="red", size="small")), relation="above"),
            "`size` must be medium for two items",
        ),
        (lambda: Scene(items=()), "`items` must hold one or two items, but got 0"),
    ],
)
def test_impossible_scenes_cannot_be_made(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]
