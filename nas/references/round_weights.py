"""The weights of a run's round, for whoever comes later: by content, or made again where nothing was trained."""

from collections.abc import Callable

from nas.algorithms.steps import FIRST
from nas.runs.bundled.naming import is_bundled
from nas.runs.checkpoints.checkpoint import Checkpoint, CheckpointError
from nas.runs.checkpoints.weights import weights_digest
from nas.runs.directory import RunDirectory
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet


def give_round_weights(
    supernet: Supernet,
    /,
    *,
    run: RunDirectory,
    round_number: int,
    job: int,
    digest: str,
    first: Callable[[Supernet], None],
) -> None:
    """Give a supernet of the base model the weights of a round.

    Args:
        supernet: Bears copies as those of the run were born; holds the base model's weights.
        run: The run.
        round_number: The round.
        job: Index of the training among those of its round.
        digest: Which weights they must be.
        first: Gives a supernet of the base model the weights that the run's search started with.

    Raises:
        CheckpointError: They are sound, but others than `digest`.
        UserError: They are missing or damaged.
    """
    weights = run.weights.read(round_number, job=job, digest=digest)
    if weights is not None:
        supernet.load_weights(weights)
        return
    found = run.weights.checkpoint(round_number, job=job)
    if (found is None or found.is_stored) and is_bundled(run.path):
        raise UserError(
            f"the bundled run {run.path.name} came without the weights of its rounds; `nas demo` makes one that has "
            f"them, or take its architecture in the base model's weights: {run.spec_path} (an export of that needs "
            "`--model` too)"
        )
    if found is None or found.is_stored:
        raise UserError(
            f"the weights of round {round_number} in {run.path} are missing or damaged; "
            "the search's own command trains them again"
        )
    _bear(supernet, found, run=run, first=first)
    if weights_digest(supernet.weights()) != digest:
        raise CheckpointError(
            f"round {round_number} of {run.path} was not trained, so that its weights follow from those that its "
            f"search started with; they must be {digest}, but what that is now gives others: restore the base model, "
            "or what the search started from, or search again"
        )


def _bear(supernet: Supernet, checkpoint: Checkpoint, *, run: RunDirectory, first: Callable[[Supernet], None]) -> None:
    """Give a supernet what nobody trained: the weights before, and the copies that the architecture bore."""
    parent = checkpoint.origin["parent"]
    if parent == FIRST:
        first(supernet)
    elif (weights := run.weights.stored(parent)) is not None:
        supernet.load_weights(weights)
    else:
        untrained = (each for each in run.weights.checkpoints() if not each.is_stored)
        before = next((each for each in untrained if each.digest == parent), None)
        if before is None or before == checkpoint:
            raise UserError(
                f"the weights {parent} must stand in {run.path / 'weights'}, but are missing or damaged; the search's "
                "own command trains them again"
            )
        _bear(supernet, before, run=run, first=first)
    with supernet.switched(checkpoint.architecture):
        pass
