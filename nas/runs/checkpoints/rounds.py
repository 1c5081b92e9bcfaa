"""The weights of a run's rounds: checkpoints by round, weights by content, below the run's folder.

checkpoints/round-003/ checkpoints/round-003-1/ weights/0123456789abcdef.safetensors training/round-004.safetensors
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import torch

from nas.runs.checkpoints.checkpoint import Checkpoint, CheckpointError, read_checkpoint, write_checkpoint
from nas.runs.checkpoints.weights import read_weights, weights_digest, write_weights
from search_spaces.architecture import Architecture


class RoundWeights:
    """The checkpoints and weights of one run.

    Args:
        run: The run's folder.
        before_writing: Called before anything is written; raises if nothing may be.
    """

    def __init__(self, run: Path, /, *, before_writing: Callable[[], None]) -> None:
        self._run, self._before_writing = run, before_writing

    def write(
        self,
        round_number: int,
        /,
        *,
        architecture: Architecture,
        weights: Mapping[str, torch.Tensor] | None,
        digest: str | None = None,
        job: int = 0,
        made_from: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write a round's architecture and, unless they stand there already, its weights: first these, by content.

        Args:
            round_number: The round.
            architecture: What was trained.
            weights: Of the supernet; None where nothing was trained, so that they are those of `made_from["parent"]`,
                with the copies that the architecture bore.
            digest: Of the weights; None = made here.
            job: Index of the training among those of its round.
            made_from: Digests of what they were trained from, by name; whoever reads them can ask for the same.

        Raises:
            RunDirectoryError: The run was moved or deleted meanwhile.
            StorageError: The disk refuses.
        """
        self._before_writing()
        if weights is not None:
            digest = weights_digest(weights) if digest is None else digest
            if not (path := self.path_of(digest)).exists():
                write_weights(path, weights, digest=digest)
        assert digest is not None, "weights that are written nowhere are known by their digest"
        write_checkpoint(
            self._folder(round_number, job),
            Checkpoint(
                architecture=architecture,
                digest=digest,
                origin={**made_from, **_place_of(round_number, job)},
                is_stored=weights is not None,
            ),
        )

    def checkpoint(
        self, round_number: int, /, *, job: int = 0, made_from: Mapping[str, str] = MappingProxyType({})
    ) -> Checkpoint | None:
        """What a round says of its weights; None while its training is not done.

        Args:
            round_number: The round.
            job: Index of the training among those of its round.
            made_from: Digests of what they must have been trained from, as far as the checkpoint says it.

        Warns:
            CheckpointWarning: There is a checkpoint, but it is damaged, or of another round or origin; it was set
                aside and the round counts as not trained.
        """
        return read_checkpoint(self._folder(round_number, job), origin={**made_from, **_place_of(round_number, job)})

    def checkpoints(self) -> list[Checkpoint]:
        """What every round says of its weights, in order; those that are damaged are left out.

        Warns:
            CheckpointWarning: As `checkpoint`.
        """
        folders = sorted(path for path in (self._run / "checkpoints").glob("round-*") if "." not in path.name)
        return [found for folder in folders if (found := read_checkpoint(folder)) is not None]

    def read(
        self,
        round_number: int,
        /,
        *,
        job: int = 0,
        digest: str | None = None,
        made_from: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, torch.Tensor] | None:
        """The weights of a round, where they are stored; None while its training is not done, or there was none.

        Args:
            round_number: The round.
            job: Index of the training among those of its round.
            digest: Which weights they must be; None = whatever the training gave.
            made_from: As in `checkpoint`.

        Raises:
            CheckpointError: They are sound, but others than `digest`.

        Warns:
            CheckpointWarning: As `checkpoint`, or the weights are damaged; they were set aside.
        """
        found = self.checkpoint(round_number, job=job, made_from=made_from)
        if found is None:
            return None
        if digest is not None and found.digest != digest:
            raise CheckpointError(
                f"{self._folder(round_number, job)} must hold the weights {digest}, but holds {found.digest}; "
                "restore them, or delete the folder and run the search's own command, which trains them again"
            )
        return read_weights(found.held or self.path_of(found.digest), digest=found.digest)

    def stored(self, digest: str, /) -> dict[str, torch.Tensor] | None:
        """The weights of a digest, by content; None where none stand.

        Warns:
            CheckpointWarning: They are damaged; they were set aside.
        """
        return read_weights(self.path_of(digest), digest=digest)

    def path_of(self, digest: str, /) -> Path:
        """Where the weights of a digest stand."""
        return self._run / "weights" / f"{digest}.safetensors"

    def training_state(self, round_number: int, /, *, job: int = 0) -> Path:
        """Where the state of a round's training stands while it goes on."""
        return self._run / "training" / f"{self._folder(round_number, job).name}.safetensors"

    def _folder(self, round_number: int, job: int) -> Path:
        return self._run / "checkpoints" / (f"round-{round_number:03d}" + (f"-{job}" if job else ""))


def _place_of(round_number: int, job: int) -> dict[str, str]:
    """What a checkpoint says of its place."""
    return {"round": str(round_number), "job": str(job)}
