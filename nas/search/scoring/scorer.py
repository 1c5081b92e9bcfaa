"""Scores of many architectures on the same prompts: from the store where they stand, from the workers otherwise.

What the store holds is what counts: where another process was quicker, its scores are taken and ours are dropped, so
that all who share a store decide alike. Scores of one step are all of one maker (`nas.scores.maker`): the one that made
all of them, where the store holds such, or else the workers of this process.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from nas.algorithms.steps import Subject
from nas.scores.prompts import ValidationSet
from nas.scores.store import CLIP_COLUMN, UNKNOWN_MAKER, ScoreKey, ScoreStore, digest_of_prompts
from nas.workers.pool import WorkerPool
from nas.workers.worker import OWN, EvaluationResult, EvaluationTask, Yardstick
from search_spaces.architecture import Architecture
from search_spaces.files.digests import digest_of
from search_spaces.files.user_error import UserError

PICTURED_CHUNK: Final = 0  # the prompts whose pictures are kept: the same ones every round


class MixedWorkersError(UserError):
    """Workers of different kinds, whose scores must not be compared."""


class AnotherMakerError(Exception):
    """The workers' first answer shows that the store's scores are of another maker; what was scored now is kept."""


class NotStoredError(LookupError):
    """The store lacks scores of the maker that they were asked of."""


class Scorer:
    """Per-prompt scores of architectures, and pictures of some, generated at most once each.

    Args:
        pool: Who generates.
        store: What has been generated.
        prompts: On what.
        protocol_digest: How; part of the store's key.
        score_name: By which score; names the store's column.
        yardstick: The same as the workers know it.
        refers: Whether the score is a distance to the network of a round, which `score` must be told then.
        made_by: What the workers are expected to be (`nas.workers.maker`), which their first answer shows.
    """

    def __init__(
        self,
        pool: WorkerPool,
        /,
        *,
        store: ScoreStore,
        prompts: ValidationSet,
        protocol_digest: str,
        score_name: str = CLIP_COLUMN,
        yardstick: Yardstick = OWN,
        refers: bool = False,
        made_by: str | None = None,
    ) -> None:
        self._pool, self._store, self._prompts, self._protocol_digest = pool, store, prompts, protocol_digest
        self._score_name, self._yardstick, self._refers = score_name, yardstick, refers
        self._made_by, self._is_assumed = made_by, made_by is not None  # the first answer shows it
        self._prompts_digests = [digest_of_prompts(prompts.chunk(chunk)) for chunk in range(prompts.num_chunks)]

    @property
    def is_own(self) -> bool:
        """Whether it is the run's own score, which makes pictures."""
        return not self._yardstick.by

    @property
    def refers(self) -> bool:
        """Whether the score is a distance to the network of a round."""
        return self._refers

    @property
    def num_prompts(self) -> int:
        """Prompts in all."""
        return len(self._prompts.prompts)

    @property
    def num_chunks(self) -> int:
        """Chunks that hold all prompts."""
        return self._prompts.num_chunks

    @property
    def chunk_size(self) -> int:
        """Prompts of a full chunk."""
        return self._prompts.chunk_size

    def makers(self, weights_digest: str, /) -> tuple[str, ...]:
        """What made the stored scores of some weights, the first one first."""
        return self._store.makers(weights_digest)

    def stored(
        self,
        architectures: Sequence[Architecture],
        /,
        *,
        weights_digest: str,
        made_by: str,
        chunks: Sequence[int],
        against: Architecture | None = None,
    ) -> dict[Architecture, tuple[float, ...]]:
        """Scores of every prompt of some chunks as one maker made them, from the store alone; see `score`.

        Raises:
            NotStoredError: It lacks some.
        """
        referred = self._referred(against, weights_digest)

        def known(architecture: Architecture, chunk: int) -> tuple[float, ...]:
            task = EvaluationTask(architecture=architecture, chunk=chunk, against=referred)
            key = self._key(task, weights_digest, made_by)
            if (scores := self._store.get(key, score=self._score_name)) is None:
                raise NotStoredError(f"chunk {chunk} of {architecture.arch_id}")
            return scores

        return {a: tuple(score for chunk in chunks for score in known(a, chunk)) for a in architectures}

    def score(
        self,
        architectures: Sequence[Architecture],
        /,
        *,
        weights_digest: str,
        on_chunk: Callable[[int, int], None],
        chunks: Sequence[int] | None = None,
        picture_of: Architecture | None = None,
        num_samples: int = 0,
        on_answer: Callable[[EvaluationResult], None] = lambda result: None,
        against: Architecture | None = None,
    ) -> dict[Architecture, tuple[float, ...]]:
        """Scores of every prompt of some chunks, in the order given.

        Args:
            architectures: What to score with the weights that the pool holds.
            weights_digest: Digest of these weights.
            on_chunk: Called with (chunks done, chunks in all).
            chunks: Which chunks of the validation set; None = all.
            picture_of: Keep this one's pictures too when its first chunk is scored, for `pictures`.
            num_samples: Keep so many small pictures of each other one when its first chunk is scored.
            on_answer: Called with what a worker answered, before it is kept.
            against: The network of the round, where the score refers to it.

        Raises:
            UserError: The score refers to a round's network, and there is none.
            AnotherMakerError: Scores of this step that came from the store are not of these workers' kind; asked again,
                they are.
            MixedWorkersError: The workers are of different kinds.
        """
        referred = self._referred(against, weights_digest)
        chunks = range(self._prompts.num_chunks) if chunks is None else chunks
        tasks = {
            (architecture, chunk): EvaluationTask(
                architecture=architecture,
                chunk=chunk,
                with_pictures=architecture == picture_of and chunk == PICTURED_CHUNK,
                num_samples=num_samples if architecture != picture_of and chunk == PICTURED_CHUNK else 0,
                yardstick=self._yardstick,
                against=referred,
            )
            for architecture in architectures
            for chunk in chunks
        }
        found: dict[EvaluationTask, tuple[float, ...]] = {}

        if self._made_by is None and (makers := self.makers(weights_digest)):
            self._made_by, self._is_assumed = makers[-1], True  # the workers' first answer will show it
        for task in tasks.values():
            if (known := self._known(task, weights_digest)) is not None:
                found[task] = known
        on_chunk(len(found), len(tasks))
        for result in self._pool.evaluate([task for task in tasks.values() if task not in found]):
            on_answer(result)
            found[result.task] = self._keep(result, weights_digest)
            on_chunk(len(found), len(tasks))
        self._store.settle()
        return {a: tuple(score for chunk in chunks for score in found[tasks[a, chunk]]) for a in architectures}

    def pictures(self, architecture: Architecture, /, *, weights_digest: str) -> npt.NDArray[np.uint8]:
        """An architecture's pictures of the first chunk's prompts, uint8 (n, h, w, 3).

        Args:
            architecture: Drawn with the weights that the pool holds, unless the store has its pictures.
            weights_digest: Digest of these weights.
        """
        task = EvaluationTask(
            architecture=architecture, chunk=PICTURED_CHUNK, with_pictures=True, yardstick=self._yardstick
        )
        key = self._key(task, weights_digest, UNKNOWN_MAKER)  # pictures are looked at, never paired
        pictures = self._store.pictures(key)
        if pictures is None:
            (result,) = self._pool.evaluate([task])
            self._keep(result, weights_digest)
            pictures = self._store.pictures(key)
            assert pictures is not None
        return pictures

    def _referred(self, against: Architecture | None, weights_digest: str) -> Subject | None:
        """What the score is a distance to; None where it knows that itself."""
        if not self._refers:
            return None
        if against is None:
            raise UserError(
                f"{self._score_name} is a distance to the network before an action here, but a step asks for it "
                "without a reference; give the score's setting `reference: model`"
            )
        return Subject(architecture=against, weights=weights_digest)

    def _known(self, task: EvaluationTask, weights_digest: str) -> tuple[float, ...] | None:
        """A task's scores when the store holds all that it asks for."""
        if self._made_by is None:
            return None
        key = self._key(task, weights_digest, self._made_by)
        if task.with_pictures and self._store.pictures(key) is None:
            return None
        return self._store.get(key, score=self._score_name)

    def _keep(self, result: EvaluationResult, weights_digest: str) -> tuple[float, ...]:
        """The scores that the store holds from now on.

        Raises:
            AnotherMakerError: See `score`.
            MixedWorkersError: Another kind of worker made them than the first ones.
        """
        kept = self._store.put(
            self._key(result.task, weights_digest, result.made_by),
            prompts=self._prompts.chunk(result.task.chunk),
            scores=result.scores,
            pictures=result.pictures if result.task.with_pictures else None,
            samples=None if result.task.with_pictures else result.pictures,
            score=self._score_name,
        )
        if self._is_assumed or self._made_by is None:
            assumed, self._made_by, self._is_assumed = self._made_by, result.made_by, False
            if assumed not in (None, result.made_by):
                raise AnotherMakerError
        if result.made_by != self._made_by:
            raise MixedWorkersError(
                "scores that are compared must be made by one kind of machine and one set of versions, but "
                f"{result.worker} is {result.made_by!r} and others are {self._made_by!r}; give the search workers that "
                "are alike (`workers.address`: a cluster of one kind), and the same command continues"
            )
        return kept

    def _key(self, task: EvaluationTask, weights_digest: str, made_by: str) -> ScoreKey:
        return ScoreKey(
            weights_digest=weights_digest,
            arch_id=_arch_id(task.architecture),
            protocol_digest=self._protocol_digest
            if task.against is None
            else digest_of({"protocol": self._protocol_digest, "against": _arch_id(task.against.architecture)}),
            prompts_digest=self._prompts_digests[task.chunk],
            made_by=made_by,
        )


@lru_cache(maxsize=4096)
def _arch_id(architecture: Architecture) -> str:
    """The digest of an architecture, which every chunk of it asks for."""
    return architecture.arch_id
