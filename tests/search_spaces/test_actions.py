"""Laws of actions: their text, their inverse, and what they do to an architecture."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import Action, Architecture, ArchitectureError, BlockKind, CompoundAction, Sign, parse_action
from search_spaces.known.architectures import sd15_space
from tests.strategies import actions, architectures, possible_actions

SPACE = sd15_space()


@given(actions(SPACE))
def test_text_round_trip(action: Action) -> None:
    assert Action.parse(str(action)) == action
    assert Action.parse(f" {action}\n") == action


@given(actions(SPACE))
def test_inverse_of_the_inverse_is_the_action(action: Action) -> None:
    assert action.inverse != action
    assert action.inverse.inverse == action


@given(st.data(), architectures(SPACE))
def test_action_then_inverse_is_the_identity(data: st.DataObject, architecture: Architecture) -> None:
    action = data.draw(possible_actions(SPACE, architecture))
    changed = action.apply(architecture)
    assert changed != architecture
    assert action.inverse.apply(changed) == architecture


@given(st.data(), architectures(SPACE))
def test_an_action_moves_one_gene_by_one(data: st.DataObject, architecture: Architecture) -> None:
    action = data.draw(possible_actions(SPACE, architecture))
    changed = action.apply(architecture)
    moved = 1 if action.sign is Sign.COPY else -1
    resnets, cross_attentions = (moved, 0) if action.kind is BlockKind.RESNET else (0, moved)
    assert changed.num_resnets == architecture.num_resnets + resnets
    assert changed.num_cross_attentions == architecture.num_cross_attentions + cross_attentions
    differing = [a for a, b in zip(architecture.positions(), changed.positions(), strict=True) if a != b]
    assert [(place, position.source) for place, position in differing] == [(action.stage, action.position)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cross_attention[up.3,0]",
        "*resnet[up.3,0]",
        "-attention[up.3,0]",
        "-shortcut[up.3,0]",
        "-resnet[up,0]",
        "-resnet[up.3]",
        "-resnet[up.3,-1]",
        "-resnet[up.3,0]x",
    ],
)
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ArchitectureError, match=r'an action is written like "-cross_attention\[up.3,0\]", but got'):
        Action.parse(text)


@pytest.mark.parametrize("kind", [k for k in BlockKind if k not in (BlockKind.RESNET, BlockKind.CROSS_ATTENTION)])
def test_only_resnets_and_cross_attentions_can_change(kind: BlockKind) -> None:
    with pytest.raises(ArchitectureError, match=f"must be resnet or cross_attention, but got {kind}"):
        Action(sign=Sign.REMOVE, kind=kind, stage="mid", position=0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-cross_attention[down.3,0]", r"down.3\[0\] has no cross_attention left"),
        ("-resnet[down.7,0]", "no stage 'down.7'"),
        ("-resnet[mid,2]", "mid has no position 2"),
    ],
)
def test_what_is_not_there_cannot_be_removed(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        Action.parse(text).apply(SPACE.base)


COMPOUND = "-cross_attention[mid,0]*10&-resnet[mid,1]&-position[mid,1]"


def test_a_compound_action_reads_and_writes_its_steps() -> None:
    action = parse_action(COMPOUND)
    assert isinstance(action, CompoundAction)
    assert (str(action), len(action.steps), len(action.blocks)) == (COMPOUND, 12, 11)
    assert str(action.inverse) == "+position[mid,1]&+resnet[mid,1]&+cross_attention[mid,0]*10"
    assert action.inverse.inverse == action
    assert parse_action("-resnet[mid,1]") == Action.parse("-resnet[mid,1]")


@given(st.lists(actions(SPACE), min_size=2, max_size=6))
def test_actions_of_both_kinds_have_one_order(some: list[Action]) -> None:
    both: list[Any] = [*some, *(CompoundAction(steps=(action, action)) for action in some)]
    backwards = both[::-1]
    assert sorted(both) == sorted(backwards)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-resnet[mid,1]&+resnet[mid,0]", "must all remove or all copy"),
        ("-resnet[mid,1]&", "an action is written like"),
        ("-resnet[mid,1]*x", "a repeated action is written like"),
        ("-resnet[mid,1]*1", "a repeated action is written like"),
        ("-position[mid]", "an action on a position is written like"),
    ],
)
def test_other_compounds_are_refused(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        parse_action(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-position[mid,1]", r"mid\[1\] still holds 1 ResNets and 0 cross-attentions; remove them first"),
        ("+position[mid,1]", "mid has its position 1 already"),
        ("-position[mid,2]", "mid has no position 2"),
    ],
)
def test_positions_come_and_go_empty(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        parse_action(text).apply(SPACE.base)
