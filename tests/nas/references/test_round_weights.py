"""The weights of rounds that nobody trained follow from those that the search started with, copies included."""

from pathlib import Path

import pytest
import torch

from nas.references.round_weights import give_round_weights
from nas.runs.checkpoints.checkpoint import CheckpointError
from nas.runs.checkpoints.weights import weights_digest
from nas.runs.directory import RunDirectory
from search_spaces import Action
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet
from tests.nas.training.tiny import supernet_of, tiny_unet


def start(supernet: Supernet) -> None:
    """What the search started with: not the base model's weights."""
    with torch.no_grad():
        supernet.unet.conv_in.bias.fill_(0.5)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Round 0 trained nothing; nor did 1, which bore a copy; 2 trained; 3 bore another copy of that."""
    run, supernet, parent = RunDirectory(tmp_path), supernet_of(tiny_unet()), ""
    start(supernet)
    architecture = supernet.space.base
    for number, action in enumerate((None, "+resnet[mid,1]", None, "+cross_attention[up.1,0]")):
        if action is not None:
            architecture = Action.parse(action).apply(architecture)
        supernet.switch(architecture)
        if number == 2:
            with torch.no_grad():
                supernet.unet.conv_out.bias.add_(1)
        weights = supernet.weights()
        digest = weights_digest(weights)
        run.weights.write(
            number,
            architecture=architecture,
            weights=weights if number == 2 else None,
            digest=digest,
            made_from={"parent": parent},
        )
        parent = digest
    return run


@pytest.mark.parametrize("number", range(4))
def test_every_round_has_its_weights(run: RunDirectory, number: int) -> None:
    supernet, digest = supernet_of(tiny_unet()), run.weights.checkpoints()[number].digest
    give_round_weights(supernet, run=run, round_number=number, job=0, digest=digest, first=start)
    assert weights_digest(supernet.weights()) == digest
    assert len(list((run.path / "weights").iterdir())) == 1


def test_another_start_gives_others_which_is_said(run: RunDirectory) -> None:
    digest = run.weights.checkpoints()[1].digest
    with pytest.raises(CheckpointError, match=rf"must be {digest}, but what that is now gives others"):
        give_round_weights(
            supernet_of(tiny_unet()), run=run, round_number=1, job=0, digest=digest, first=lambda supernet: None
        )


def test_weights_that_are_gone_are_named(run: RunDirectory) -> None:
    found = run.weights.checkpoints()
    run.weights.path_of(found[2].digest).unlink()
    for number, law in ((2, "of round 2 .* are missing or damaged"), (3, f"the weights {found[2].digest} must stand")):
        with pytest.raises(UserError, match=law):
            give_round_weights(
                supernet_of(tiny_unet()), run=run, round_number=number, job=0, digest=found[number].digest, first=start
            )
