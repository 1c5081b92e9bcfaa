"""Scores of many architectures on the same prompts: from the store where they stand, from the workers otherwise."""

from collections.abc import Callable, Sequence

from nas.evaluation.validation_set import ValidationSet
from nas.score_store import ScoreKey, ScoreStore
from nas.worker import EvaluationTask
from nas.workers import WorkerPool
from search_spaces.architecture import Architecture


class Scorer:
    """Per-prompt CLIP scores of architectures, generated at most once each.

    Args:
        pool: Who generates.
        store: What has been generated.
        prompts: On what.
        protocol_digest: How; part of the store's key.
    """

    def __init__(self, pool: WorkerPool, /, *, store: ScoreStore, prompts: ValidationSet, protocol_digest: str) -> None:
        self._pool, self._store, self._prompts, self._protocol_digest = pool, store, prompts, protocol_digest

    def score(
        self, architectures: Sequence[Architecture], /, *, weights_digest: str, on_chunk: Callable[[int, int], None]
    ) -> dict[Architecture, tuple[float, ...]]:
        """Scores of every prompt, in the order of the validation set.

        Args:
            architectures: What to score with the weights that the pool holds.
            weights_digest: Digest of these weights.
            on_chunk: Called with (chunks done, chunks in all).
        """
        chunks = range(self._prompts.num_chunks)
        wanted = [(architecture, chunk) for architecture in architectures for chunk in chunks]
        found: dict[tuple[Architecture, int], tuple[float, ...]] = {}
        for architecture, chunk in wanted:
            known = self._store.get(self._key(architecture, chunk, weights_digest), prompts=self._prompts.chunk(chunk))
            if known is not None:
                found[architecture, chunk] = known
        on_chunk(len(found), len(wanted))
        todo = [EvaluationTask(architecture=a, chunk=c) for a, c in wanted if (a, c) not in found]
        for result in self._pool.evaluate(todo):
            task = result.task
            key = self._key(task.architecture, task.chunk, weights_digest)
            self._store.put(key, prompts=self._prompts.chunk(task.chunk), scores=result.scores)
            found[task.architecture, task.chunk] = result.scores
            on_chunk(len(found), len(wanted))
        return {a: tuple(score for chunk in chunks for score in found[a, chunk]) for a in architectures}

    def _key(self, architecture: Architecture, chunk: int, weights_digest: str) -> ScoreKey:
        return ScoreKey(
            weights_digest=weights_digest,
            arch_id=architecture.arch_id,
            protocol_digest=self._protocol_digest,
            chunk=chunk,
        )
