"""Pictures depend on the scene and the seed alone, and show what the caption says."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.shapes.layout import placed
from search_spaces.shapes.renderer import BACKGROUND_RGB, PICTURE_PX, RGB, SHADE_JITTER, render
from search_spaces.shapes.scenes import AND, BACKGROUNDS, PLACES, RELATIONS, SIZES, TEXTURES, THINGS, Group, Scene
from tests.strategies import scenes

SEEDS = st.integers(0, 2**32 - 1)


def picture(scene: Scene, *, seed: int = 0, size_px: int = PICTURE_PX) -> np.ndarray:
    return render(scene, rng=np.random.default_rng(seed), size_px=size_px)


def alone(thing: str, *, size: str = "medium", place: str = "centre", texture: str = "plain") -> Scene:
    return Scene(groups=(Group(thing=thing, colour="red", size=size, texture=texture),), place=place)


def inked(image: np.ndarray) -> np.ndarray:
    """(size_px, size_px) of the pixels that are not white."""
    return (image != 255).any(axis=-1)


@given(scenes(), SEEDS)
def test_the_same_seed_draws_the_same_picture(scene: Scene, seed: int) -> None:
    image = picture(scene, seed=seed)
    assert (image.shape, image.dtype) == ((PICTURE_PX, PICTURE_PX, 3), np.uint8)
    assert np.array_equal(image, picture(scene, seed=seed))


@settings(max_examples=20)
@given(scenes(), SEEDS)
def test_every_group_shows_a_shade_of_its_colour(scene: Scene, seed: int) -> None:
    pixels = picture(scene, seed=seed).reshape(-1, 3) / 255
    for group in scene.groups:
        own = np.array(RGB[group.colour])
        shades = np.linspace(1 - SHADE_JITTER, 1 + SHADE_JITTER, 49)[:, None] * own
        distances = np.abs(pixels[:, None] - np.clip(shades, 0, 1)).max(axis=2)
        assert distances.min() <= 0.012, group.noun


@given(st.sampled_from(BACKGROUNDS), st.sampled_from(BACKGROUNDS), SEEDS)
def test_a_background_fades_from_above_to_below(above: str, below: str, seed: int) -> None:
    fades_to = None if above == below else below
    image = picture(
        Scene(groups=(Group(thing="star", colour="red", size="small"),), background=above, fades_to=fades_to), seed=seed
    )
    for row, name in ((0, above), (-1, below)):
        assert np.abs(image[row, 0] / 255 - np.array(BACKGROUND_RGB[name])).max() <= 0.01


@given(st.sampled_from(THINGS), st.sampled_from([place for place in PLACES if place != "anywhere"]), SEEDS)
def test_things_stand_where_the_caption_says(thing: str, place: str, seed: int) -> None:
    rows, columns = np.nonzero(inked(picture(alone(thing, place=place, size="small"), seed=seed)))
    x, y = columns.mean() / PICTURE_PX - 0.5, rows.mean() / PICTURE_PX - 0.5
    expected = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1), "centre": (0, 0)}[place]
    assert (round(x / 0.35), round(y / 0.35)) == expected  # small things at a side stand 0.35 widths off the centre


@given(st.sampled_from(THINGS), SEEDS)
def test_larger_things_take_more_room(thing: str, seed: int) -> None:
    areas = {size: inked(picture(alone(thing, size=size), seed=seed)).sum() for size in SIZES}
    assert areas["small"] < areas["medium"] < areas["large"]


@given(scenes(), SEEDS)
def test_things_are_as_many_as_said_apart_inside_and_in_their_relation(scene: Scene, seed: int) -> None:
    things = placed(scene, rng=np.random.default_rng(seed))
    assert [thing.group for thing in things] == [group for group in scene.groups for _ in range(group.count)]
    for index, one in enumerate(things):
        assert all(one.radius <= at <= 1 - one.radius for at in (one.x, one.y))
        assert all(np.hypot(one.x - it.x, one.y - it.y) >= one.radius + it.radius - 1e-9 for it in things[:index])
    if scene.relation in RELATIONS:
        axis, sign = {"above": ("y", -1), "below": ("y", 1), "left of": ("x", -1), "right of": ("x", 1)}[scene.relation]
        first, second = things[: scene.groups[0].count], things[scene.groups[0].count :]
        assert all(sign * (getattr(a, axis) - getattr(b, axis)) > 0 for a in first for b in second)


def test_a_caption_leaves_open_where_and_how_things_stand() -> None:
    scene = Scene(groups=(Group(thing="star", colour="blue"), Group(thing="cup", colour="pink", count=2)), relation=AND)
    images = [picture(scene, seed=seed) for seed in range(20)]
    covered = [inked(image).mean() for image in images]
    assert np.mean([inked(image) for image in images], axis=0).max() < 0.9, "no pixel is always covered"
    assert min(covered) > 0.05


@pytest.mark.parametrize("by", ["thing", "texture"])
def test_things_and_textures_differ(by: str) -> None:
    scenes = [alone(t) for t in THINGS] if by == "thing" else [alone("circle", texture=t) for t in TEXTURES]
    assert len({picture(scene).tobytes() for scene in scenes}) == len(scenes)


@pytest.mark.parametrize("size_px", [16, 128])
def test_pictures_have_the_size_that_was_asked(size_px: int) -> None:
    assert picture(alone("ring"), size_px=size_px).shape == (size_px, size_px, 3)


def test_one_picture_stays_what_it_was(golden: Callable[[str, str], None]) -> None:
    groups = (Group(thing="tree", colour="green", count=2), Group(thing="fish", colour="purple", texture="striped"))
    image = picture(Scene(groups=groups, relation="above", background="gray", fades_to="blue"), seed=42)
    golden("green_trees_above_purple_fish.sha256", hashlib.sha256(image.tobytes()).hexdigest() + "\n")
