"""The frames of a run, or of several, as methods whose docstrings say what each column is and in which unit.

Where another score than CLIP's is searched by, its own name stands in the place of `clip` in every column's name. A
frame of which there is nothing has its columns and no rows. What is missing or damaged is said by `notices`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from os import PathLike
from typing import Any

import pandas as pd

from nas.runs.frames.decisions import decision_frame
from nas.runs.frames.exports import export_frame
from nas.runs.frames.opened import OpenedRun
from nas.runs.frames.pictures import picture_frame
from nas.runs.frames.rounds import architecture_frame, evaluation_frame, race_frame, round_frame
from nas.runs.frames.scores import score_frame
from nas.runs.frames.side_files import block_frame, timing_frame, training_frame
from nas.runs.frames.tidy import several

FRAMES = (
    "rounds", "decisions", "evaluations", "architectures", "races", "blocks", "scores", "training", "timings",
    "exports", "pictures",
)  # fmt: skip


class Frames(ABC):
    """What a run, or several, holds as tidy frames."""

    @abstractmethod
    def _made(self, make: Callable[[OpenedRun], pd.DataFrame], /) -> pd.DataFrame:
        """A frame of a run, or of several below each other."""

    def rounds(self) -> pd.DataFrame:
        """One row per round, and what was then decided; a round without a reference has a row per scored architecture.

        Columns, where another score than CLIP's has its own name in the place of `clip`:
            round: Counts trainings from 0.
            arch_id: Digest of the round's architecture.
            weights_digest: Digest of the weights; None where the round's training gave several.
            predicted_latency_ms: Predicted milliseconds of one forward pass.
            num_prompts: Prompts that it was scored on.
            clip: Mean score over prompts, in the score's unit.
            clip_low: Lower end of its confidence interval.
            clip_high: Upper end.
            num_params: Parameters of the UNet.
            actions: What was then executed, apart by blanks; "" where nothing was.
            chance_right: How likely these actions are the right ones: that no others would lose less for the same
                milliseconds by more than what counts as nothing; NaN where nothing was chosen, and of runs up to 0.1.0.
            expected_loss: Score that a better choice would lose less, in the mean over what may be true of the losses.

        `run.rounds().merge(run.scores(), on=["arch_id", "weights_digest"], suffixes=("_mean", ""))` says the score of
        every prompt in every round; without `suffixes` pandas would name both columns `clip_x` and `clip_y`.
        """
        return self._made(lambda run: round_frame(run.events, score=run.score))

    def decisions(self, *, store: str | PathLike[str] | None = None) -> pd.DataFrame:
        """One row per executed action in order, and one without an action where the search stopped.

        A copy is chosen by what the removal of its block would cost, so its numbers are those of that removal.

        Columns, where another score than CLIP's has its own name in the place of `clip`:
            round: Whose scores decided; counts trainings from 0.
            order: Place among the actions of its round, from 0.
            action: Such as "-resnet[mid,0]"; None where the search stopped.
            d_clip: Mean paired loss per prompt when it was scored alone, in the score's unit; positive = worse.
            d_clip_low: Lower end of its confidence interval.
            d_clip_high: Upper end.
            d_latency_ms: Predicted milliseconds that it saves in one forward pass.
            value: d_clip / d_latency_ms, by which `search.value: paper` ranks: low is removed, high is copied; other
                rules weigh the loss first.
            runner_up: The action with the next best value that was not executed; None where there was none.
            margin: By how much the value of this action is better than the runner-up's, in score per millisecond; a
                race may choose against the means that it ended with, so it can be negative.
            chance: How likely this action's true value is as good as the runner-up's; 0.5 = a toss. Under
                `search.value: paper` from the scores of the prompts that both have (Student's t, paired), NaN where
                they are gone; under the others by what is believed of the round's losses (`nas.values.belief`), and
                margin and runner-up are those of weighed losses.
            stop: Why the search stopped; None where an action was executed.
            chance_right: How likely the round's actions, all together, are the right ones; as in `rounds`.
            expected_loss: Score that a better choice would lose less, in the mean; as in `rounds`.
            screened_by: Name of another score that looked at it first (`scoring.screen`); None where none did. Where
                it decided alone, d_clip and value are NaN.
            change: What that score said of it, in its own unit; what rises is worse.
            change_low: Lower end of its confidence interval.
            change_high: Upper end.
            unit: Of that score, in words; None for pure numbers.

        Args:
            store: The folder of a `score_store` that the run shares with others; None = it keeps its own.

        Raises:
            ScoreStoreError: There is no store there.
        """
        return self._made(partial(decision_frame, store=store))

    def evaluations(self) -> pd.DataFrame:
        """One row per scored action, such as a removal, in the order of scoring.

        Columns, where another score than CLIP's has its own name in the place of `clip`:
            round: Whose architecture and weights; counts trainings from 0.
            action: Such as "-resnet[mid,0]".
            arch_id: Digest of the architecture after the action.
            weights_digest: Digest of the weights; None where the round's training gave several.
            num_prompts: Prompts that it was scored on; racing stops before the last one.
            d_clip: Mean paired loss per prompt, in the score's unit; positive = worse.
            d_clip_low: Lower end of its confidence interval.
            d_clip_high: Upper end.
            d_latency_ms: Predicted milliseconds that the action saves in one forward pass.
            value: d_clip / d_latency_ms, the score lost per millisecond saved; NaN where nothing is saved.
        """
        return self._made(lambda run: evaluation_frame(run.events, score=run.score))

    def architectures(self) -> pd.DataFrame:
        """One row per architecture that was scored as a whole, and not as what an action makes of another one.

        Columns, where another score than CLIP's has its own name in the place of `clip`:
            round: In which it was scored first; counts trainings from 0.
            arch_id: Digest of the architecture.
            weights_digest: Digest of the weights; None where the round's training gave several.
            predicted_latency_ms: Predicted milliseconds of one forward pass.
            num_prompts: Prompts that it was scored on.
            clip: Mean score over prompts, in the score's unit.
            clip_low: Lower end of its confidence interval.
            clip_high: Upper end.
            num_params: Parameters of the UNet.
        """
        return self._made(lambda run: architecture_frame(run.events, score=run.score))

    def races(self) -> pd.DataFrame:
        """One row per round whose actions were raced.

        Columns:
            round: The round; counts trainings from 0.
            num_pictures: Pictures that the round took.
            num_pictures_exhaustive: Pictures that it would have taken with every action on every prompt.
            chosen: The actions that won, best first, apart by blanks.
            ties: Pairs of a chosen action and one that it displaced within the tolerance: "a ~ b; c ~ d".
        """
        return self._made(lambda run: race_frame(run.events))

    def blocks(self) -> pd.DataFrame:
        """One row per block of the base model and of each round's architecture, in the order of the forward pass.

        Columns:
            arch_id: Digest of the architecture.
            round: The round whose own architecture it is; -1 = the base model.
            stage: Place of the block's stage, as diffusers counts: "down.0"; "" outside of the stages.
            paper_stage: SnapFusion's name of it: "Down-1", "Mid", "Up-3"; "" outside of the stages.
            position: Index of its position in the base model's stage; -1 for samplers and outside of the stages.
            kind: Kind of block: "resnet", "cross_attention" and so on.
            name: diffusers' module name; "rest" for what belongs to no block.
            ms: Predicted milliseconds of one forward pass; NaN where the latency source prices no single blocks.
            num_params: Parameters.
        """
        return self._made(block_frame)

    def scores(
        self,
        *,
        columns: Sequence[str] | None = None,
        rounds: Collection[int] | None = None,
        arch_ids: Collection[str] | None = None,
        store: str | PathLike[str] | None = None,
    ) -> pd.DataFrame:
        """One row per prompt that an architecture was scored on; empty while nothing was.

        `run.evaluations().merge(run.scores(), on=["arch_id", "weights_digest"])` says which action of which round.
        What the arguments leave out is not read from the disk.

        Columns, where another score than CLIP's has its own name in the place of `clip`:
            weights_digest: Digest of the supernet's weights.
            arch_id: Digest of the architecture.
            protocol_digest: Digest of how pictures are made and judged.
            prompts_digest: Digest of the chunk of prompts.
            made_by: Versions and the kind of machine that made it; only scores of one maker are paired.
            prompt_id: Digest of caption and noise.
            caption: The prompt's text.
            noise_seed: The prompt's noise.
            clip: The score, in its unit.

        Args:
            columns: Only these, in this order; None = all.
            rounds: Only what was scored in these; None = in all.
            arch_ids: Only these architectures; None = all.
            store: The folder of a `score_store` that the run shares with others; None = it keeps its own.

        Raises:
            ScoreStoreError: There is no store there, or no such column.

        Warns:
            ScoreStoreWarning: A damaged file was left out.
        """
        wanted = _wanted(columns=columns, rounds=rounds, arch_ids=arch_ids)
        return self._made(partial(score_frame, **wanted, store=store))

    def training(self) -> pd.DataFrame:
        """One row per training step.

        Columns:
            round: Counts trainings from 0.
            job: Index of the training among those of its round.
            recovering: Whether no block was skipped.
            step: Index of the step in its training, from 0.
            global_step: Index of the step in the whole search, from 0.
            loss: Mean squared error of the prediction, of the step's batch.
        """
        return self._made(training_frame)

    def timings(self) -> pd.DataFrame:
        """One row per scoring task that a worker answered, and per training.

        Columns:
            phase: "scoring", "screening" (by another score than the run's own), "robust training" or "recovery".
            round: Counts trainings from 0.
            worker: "worker-0" and so on, "in process", or "driver" for a training.
            arch_id: Digest of the architecture that was scored or trained.
            action: The action that was scored; None for a round's own architecture, and for a training.
            chunk: Index of the chunk of prompts; NA for a training.
            job: Index of the training among those of its round; NA for a scoring.
            num_pictures: Prompts that were scored; 0 for a training.
            start: Unix seconds, by the clock of the machine that did it.
            end: Unix seconds.
            seconds: end - start.
        """
        return self._made(timing_frame)

    def exports(self) -> pd.DataFrame:
        """One row per export that lies in the run.

        Columns:
            form: As it was asked for: "stock", "searched" and so on.
            path: Its folder, in the run.
            arch_id: Digest of the architecture; None where its spec is gone.
            num_params: Parameters of the written UNet; <NA> where the export does not say it.
            predicted_latency_ms: By the latency table, for the architecture; NaN without one.
            measured_latency_ms: On the machine that exported; NaN where it was not measured.
            verified: Whether its outputs were the supernet's in a clean process; None where nobody compared them.
        """
        return self._made(export_frame)

    def pictures(
        self,
        *,
        rounds: Collection[int] | None = None,
        actions: Collection[str | None] | None = None,
        store: str | PathLike[str] | None = None,
    ) -> pd.DataFrame:
        """One row per picture that was kept: of each round's own architecture, and a few of each scored action.

        What the arguments leave out is not read from the disk.

        Columns:
            round: Whose weights; counts trainings from 0.
            arch_id: Digest of the architecture.
            action: The action that was scored; None for the round's own architecture.
            prompt_id: Digest of caption and noise.
            caption: The prompt's text.
            png: The picture as the bytes of a PNG file; those of actions are at most 256 px on a side.

        Args:
            rounds: Only those of these rounds; None = of all.
            actions: Only those of these actions, None among them for a round's own architecture; None = of all.
            store: The folder of a `score_store` that the run shares with others; None = it keeps its own.

        Raises:
            ScoreStoreError: There is no store there.
        """
        return self._made(partial(picture_frame, **_wanted(rounds=rounds, actions=actions), store=store))


def _wanted(**given: Iterable[Any] | None) -> dict[str, Any]:
    """Arguments of frames that take several values each; None = all."""
    return {name: None if values is None else several(values, name=name) for name, values in given.items()}
