"""Scores of one step's architectures, chunk after chunk: from the workers, or from the store as one maker made them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeAlias

from nas.algorithms.steps import Score, Subject
from nas.search.scoring.scorer import Scorer
from nas.workers.worker import EvaluationResult
from search_spaces.architecture import Architecture

Scores: TypeAlias = tuple[float, ...]


class Answered(Protocol):
    """Who is told what a worker answered."""

    def __call__(self, result: EvaluationResult, /, *, step: Score, subject: Subject) -> None:
        """A worker answered about a subject of a step."""
        ...


class Chunks:
    """Scores of one step's architectures, chunk after chunk: from the store, or else from the workers.

    Args:
        scorer: Per-prompt scores of architectures.
        step: What is asked.
        hold: Makes the workers hold the weights of a digest.
        on_chunk: Called with (chunks scored, chunks that there are still going to be at most).
        num_samples: Small pictures that are kept of each scored action.
        on_answer: Called with what a worker answered, before it is kept.

    Attributes:
        num_done: Chunks that were scored so far.
    """

    def __init__(
        self,
        scorer: Scorer,
        step: Score,
        /,
        *,
        hold: Callable[[str], None],
        on_chunk: Callable[[int, int], None],
        num_samples: int,
        on_answer: Answered,
    ) -> None:
        self._scorer, self._step, self._hold, self._on_chunk = scorer, step, hold, on_chunk
        self._num_samples, self._on_answer = num_samples, on_answer
        self._scores: dict[int, Scores] = {}
        self._num_chunks: dict[int, int] = {}
        self.num_done = 0

    def reference(self, subject: Subject, /, *, pictured: bool) -> Scores:
        """Scores of the reference on every prompt; its first pictures are kept if they are wanted."""
        self._hold(subject.weights)
        num_chunks = self._scorer.num_chunks
        remaining = num_chunks * len(self._step.scored)
        (scores,) = self._score([subject], range(num_chunks), remaining, pictured=pictured)
        return scores

    def extend(self, indices: Sequence[int], num_chunks: int, /, *, others: int = 0) -> dict[int, Scores]:
        """Scores of subjects on the first `num_chunks` chunks; they all have equally many so far.

        Args:
            indices: Which subjects.
            num_chunks: How many chunks they have then.
            others: Chunks that other subjects may still get.
        """
        (start,) = {self._num_chunks.get(index, 0) for index in indices} or {num_chunks}
        by_weights = defaultdict[str, list[int]](list)
        for index in indices:
            by_weights[self._step.subjects[index].weights].append(index)
        remaining = (self._scorer.num_chunks - start) * len(indices)  # at most, these included
        remaining += others
        for weights, group in by_weights.items():
            self._hold(weights)
            remaining -= (num_chunks - start) * len(group)
            subjects = [self._step.subjects[index] for index in group]
            for index, scores in zip(group, self._score(subjects, range(start, num_chunks), remaining), strict=True):
                self._scores[index] = self._scores.get(index, ()) + scores
                self._num_chunks[index] = num_chunks
        return {index: self._scores[index] for index in indices}

    def extend_each(self, num_chunks: Mapping[int, int], /, *, undecided: Collection[int]) -> dict[int, Scores]:
        """Scores of subjects on the first chunks, as many as each is given.

        Args:
            num_chunks: Chunks that each has then.
            undecided: Who may still get more of them.
        """
        ways = defaultdict[tuple[int, int], list[int]](list)
        for index, num in num_chunks.items():
            ways[self._num_chunks.get(index, 0), num].append(index)
        found: dict[int, Scores] = {}
        for (_, num), group in sorted(ways.items()):
            others = sum(
                self._scorer.num_chunks - self._num_chunks.get(index, 0) for index in undecided if index not in group
            )
            found |= self.extend(group, num, others=others)
        return found

    def end(self) -> None:
        """Say that nothing more is going to be scored."""
        self._on_chunk(self.num_done, self.num_done)

    def _score(
        self, subjects: Sequence[Subject], chunks: range, remaining: int, *, pictured: bool = False
    ) -> list[Scores]:
        """Scores of subjects with the weights that the workers hold."""
        before = self.num_done

        def on_chunk(done: int, total: int) -> None:
            self.num_done = before + done
            self._on_chunk(self.num_done, before + total + remaining)

        of = {subject.architecture: subject for subject in reversed(subjects)}
        architectures = [subject.architecture for subject in subjects]
        found = self._scorer.score(
            architectures,
            weights_digest=subjects[0].weights,
            on_chunk=on_chunk,
            chunks=chunks,
            picture_of=architectures[0] if pictured else None,
            num_samples=self._num_samples if all(subject.action is not None for subject in subjects) else 0,
            on_answer=lambda result: self._on_answer(result, step=self._step, subject=of[result.task.architecture]),
            against=self._against(subjects[0].weights),
        )
        return [found[architecture] for architecture in architectures]

    def _against(self, weights: str) -> Architecture | None:
        """The network of the round, where subjects have its weights."""
        reference = self._step.reference
        return None if reference is None or reference.weights != weights else reference.architecture


class StoredChunks(Chunks):
    """Scores of one step's architectures as one maker made them, from the store alone.

    A step that an earlier process went through is answered so, wherever it ran; the workers hear nothing of it.

    Args:
        scorer: Per-prompt scores of architectures.
        step: What is asked.
        made_by: Who must have made all of them.
    """

    def __init__(self, scorer: Scorer, step: Score, /, *, made_by: str) -> None:
        super().__init__(
            scorer,
            step,
            hold=lambda weights: None,
            on_chunk=lambda done, total: None,
            num_samples=0,
            on_answer=lambda result, *, step, subject: None,
        )
        self._made_by = made_by

    def _score(
        self, subjects: Sequence[Subject], chunks: range, remaining: int, *, pictured: bool = False
    ) -> list[Scores]:
        """Scores of subjects.

        Raises:
            NotStoredError: The store lacks some.
        """
        architectures = [subject.architecture for subject in subjects]
        weights = subjects[0].weights
        found = self._scorer.stored(
            architectures,
            weights_digest=weights,
            made_by=self._made_by,
            chunks=chunks,
            against=self._against(weights),
        )
        self.num_done += len(chunks) * len(found)
        return [found[architecture] for architecture in architectures]
