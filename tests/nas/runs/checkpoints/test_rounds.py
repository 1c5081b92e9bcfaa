"""The weights of a run's rounds: by content, shared where they are equal, never those of another round or origin."""

import shutil
from pathlib import Path

import pytest
import torch

from nas.runs.checkpoints.checkpoint import CheckpointError
from nas.runs.checkpoints.weights import CheckpointWarning, weights_digest
from nas.runs.directory import RunDirectory
from search_spaces import Architecture, Position, Stage

ARCHITECTURE = Architecture(
    stages=(Stage(place="mid", positions=(Position(resnets=1, cross_attentions=0, source=0),)),)
)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "first")


def test_a_round_has_no_weights_before_its_checkpoint_is_written(run: RunDirectory) -> None:
    assert run.weights.read(7) is None
    run.weights.write(7, architecture=ARCHITECTURE, weights={"a": torch.ones(2)})
    digest = weights_digest({"a": torch.ones(2)})
    assert [path.name for path in (run.path / "weights").iterdir()] == [f"{digest}.safetensors"]
    weights = run.weights.read(7)
    assert weights is not None
    assert torch.equal(weights["a"], torch.ones(2))


def test_rounds_with_the_same_weights_share_a_file_and_untrained_ones_have_none(run: RunDirectory) -> None:
    weights = {"a": torch.ones(2)}
    digest = weights_digest(weights)
    for number in (0, 1):
        run.weights.write(number, architecture=ARCHITECTURE, weights=weights)
    run.weights.write(2, architecture=ARCHITECTURE, weights=None, digest="f" * 16, made_from={"parent": digest})
    assert len(list((run.path / "weights").iterdir())) == 1
    assert [found.digest for found in run.weights.checkpoints()] == [digest, digest, "f" * 16]
    assert [found.is_stored for found in run.weights.checkpoints()] == [True, True, False]
    assert run.weights.read(2) is None
    assert run.weights.stored(digest) is not None


def test_weights_of_another_round_or_origin_are_not_taken(run: RunDirectory) -> None:
    def write(number: int, parent: str) -> None:
        run.weights.write(
            number,
            architecture=ARCHITECTURE,
            weights={"a": torch.full((2,), 1.0 * number)},
            made_from={"parent": parent},
        )

    write(4, "p4")
    write(5, "p5")
    digest = weights_digest({"a": torch.full((2,), 5.0)})
    assert run.weights.read(5, digest=digest, made_from={"parent": "p5"}) is not None
    with pytest.raises(CheckpointError, match=rf"round-004 must hold the weights {digest}, but holds"):
        run.weights.read(4, digest=digest)
    with pytest.warns(CheckpointWarning, match=r"\(of another origin: parent is p4, not p3\)"):
        assert run.weights.read(4, made_from={"parent": "p3"}) is None
    folder = run.path / "checkpoints"
    shutil.copytree(folder / "round-005", folder / "round-006")
    with pytest.warns(
        CheckpointWarning, match=r"\(of another origin: round is 5, not 6\): moved to round-006\.damaged"
    ):
        assert run.weights.read(6) is None
