"""Two architectures, the actions between them, and somebody else's UNet read as one of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import Architecture, ArchitectureError, SpaceForm, parse_action, space_from_config
from search_spaces.alignment import aligned
from search_spaces.difference import actions_between, changed_positions
from search_spaces.known.architectures import BASE_CONFIGS, KNOWN_ARCHITECTURES, SD15_CONFIG, base_space, known_config
from tests.strategies import architectures

SPACE = space_from_config(SD15_CONFIG)
STOCK = space_from_config(SD15_CONFIG, form=SpaceForm.STOCK)
BOTH = st.one_of(architectures(SPACE), architectures(STOCK))


@given(BOTH, BOTH)
def test_actions_lead_from_one_architecture_to_the_other_inside_the_space(
    before: Architecture, after: Architecture
) -> None:
    here = before
    for action in actions_between(before, after, space=SPACE):
        assert parse_action(str(action)) == action
        here = action.apply(here)
        SPACE.check(here)
    assert here == after


@given(BOTH)
def test_nothing_differs_from_itself(architecture: Architecture) -> None:
    assert changed_positions(architecture, architecture, space=SPACE) == ()
    assert actions_between(architecture, architecture, space=SPACE) == ()


@pytest.mark.parametrize("name", sorted(KNOWN_ARCHITECTURES))
def test_what_papers_made_is_a_list_of_actions_from_the_base(name: str) -> None:
    known = KNOWN_ARCHITECTURES[name]
    space = base_space(known.base)
    here = space.base
    for action in actions_between(space.base, known.build(), space=space):
        here = action.apply(here)
    assert here == known.build()


@pytest.mark.parametrize("name", sorted(name for name in KNOWN_ARCHITECTURES if known_config(name) is not None))
def test_a_stock_config_is_read_as_the_architecture_that_it_came_from(name: str) -> None:
    known, config = KNOWN_ARCHITECTURES[name], known_config(name)
    assert config is not None
    assert aligned(space_from_config(config), space=base_space(known.base)) == known.build()


@given(architectures(STOCK))
def test_any_stock_architecture_is_read_as_one_with_the_same_blocks(architecture: Architecture) -> None:
    from search_spaces import stock_config

    config = stock_config(architecture, space=STOCK, base_config=SD15_CONFIG).config
    assert config is not None
    found = aligned(space_from_config(config), space=SPACE)
    assert [s.signature for s in SPACE.sites(found)] == [s.signature for s in SPACE.sites(architecture)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BASE_CONFIGS["sdxl"], "`channels` at down.*|`heads` at|`cross_attention_dim` at"),
        (SD15_CONFIG | {"block_out_channels": [320, 640, 1280, 640]}, "`channels` at down.3 is 640, there 1280"),
        (SD15_CONFIG | {"layers_per_block": 3}, "down.0 has 3 positions, there 2"),
        (SD15_CONFIG | {"in_channels": 9}, "its `in_channels` is 9, there 4"),
    ],
)
def test_what_was_not_cut_from_the_base_says_where_they_part(config: dict[str, object], message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        aligned(space_from_config(config), space=SPACE)
