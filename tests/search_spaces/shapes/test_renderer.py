"""Pictures depend on the scene and the seed alone, and show what the caption says."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.shapes.renderer import PICTURE_PX, RGB, render
from search_spaces.shapes.scenes import PLACES, SHAPES, SIZES, Item, Scene
from tests.strategies import scenes

SEEDS = st.integers(0, 2**32 - 1)


def picture(scene: Scene, *, seed: int = 0, size_px: int = PICTURE_PX) -> np.ndarray:
    return render(scene, rng=np.random.default_rng(seed), size_px=size_px)


def alone(shape: str, *, colour: str = "red", size: str = "medium", place: str = "centre") -> Scene:
    return Scene(items=(Item(shape=shape, colour=colour, size=size),), place=place)


def inked(image: np.ndarray) -> np.ndarray:
    """(size_px, size_px) of the pixels that are not white."""
    return (image != 255).any(axis=-1)


@given(scenes(), SEEDS)
def test_the_same_seed_draws_the_same_picture(scene: Scene, seed: int) -> None:
    image = picture(scene, seed=seed)
    assert (image.shape, image.dtype) == ((PICTURE_PX, PICTURE_PX, 3), np.uint8)
    assert np.array_equal(image, picture(scene, seed=seed))


@given(scenes(), SEEDS)
def test_the_colours_are_those_of_the_scene(scene: Scene, seed: int) -> None:
    image = picture(scene, seed=seed).reshape(-1, 3).astype(int)
    for name in (scene.background, *(item.colour for item in scene.items)):
        assert np.abs(image - np.round(np.array(RGB[name]) * 255)).max(axis=1).min() <= 1, name


@given(st.sampled_from(SHAPES), st.sampled_from(PLACES), SEEDS)
def test_items_stand_where_the_caption_says(shape: str, place: str, seed: int) -> None:
    rows, columns = np.nonzero(inked(picture(alone(shape, place=place), seed=seed)))
    x, y = columns.mean() / PICTURE_PX - 0.5, rows.mean() / PICTURE_PX - 0.5
    expected = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1), "centre": (0, 0)}[place]
    assert (round(x / 0.28), round(y / 0.28)) == expected  # places stand 0.28 picture widths off the centre


@given(st.sampled_from(SHAPES), SEEDS)
def test_larger_items_take_more_room(shape: str, seed: int) -> None:
    areas = {size: inked(picture(alone(shape, size=size), seed=seed)).sum() for size in SIZES}
    assert areas["small"] < areas["medium"] < areas["large"]


@given(SEEDS)
def test_the_first_item_stands_in_the_relation_to_the_second(seed: int) -> None:
    items = (Item(shape="circle", colour="red"), Item(shape="circle", colour="blue"))
    for relation, axis, sign in (("above", 0, -1), ("below", 0, 1), ("left of", 1, -1), ("right of", 1, 1)):
        image = picture(Scene(items=items, relation=relation), seed=seed).astype(int)
        first, second = (
            np.argwhere((np.abs(image - np.round(np.array(RGB[colour]) * 255)) <= 1).all(axis=-1)).mean(axis=0)
            for colour in ("red", "blue")
        )
        assert np.sign(first[axis] - second[axis]) == sign


def test_another_seed_moves_the_item_a_little() -> None:
    one, other = (picture(alone("square"), seed=seed) for seed in (0, 1))
    assert not np.array_equal(one, other)
    assert (inked(one) & inked(other)).sum() > 0.7 * inked(one).sum()


def test_shapes_differ() -> None:
    images = [picture(alone(shape)).tobytes() for shape in SHAPES]
    assert len(set(images)) == len(SHAPES)


@pytest.mark.parametrize("size_px", [16, 64])
def test_pictures_have_the_size_that_was_asked(size_px: int) -> None:
    assert picture(alone("ring"), size_px=size_px).shape == (size_px, size_px, 3)


def test_one_picture_stays_what_it_was(golden: Callable[[str, str], None]) -> None:
    items = (Item(shape="triangle", colour="green"), Item(shape="ring", colour="purple"))
    image = picture(Scene(items=items, relation="above", background="gray"), seed=42)
    golden("green_triangle_above_purple_ring.sha256", hashlib.sha256(image.tobytes()).hexdigest() + "\n")
