"""A run as notebooks and reports see it: read only, whether it is finished, running or crashed."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from nas.runs.bundled.naming import named_run
from nas.runs.directory import RunDirectory
from nas.runs.events import STARTS
from nas.runs.frames import evaluation_frame, round_frame, score_of
from nas.runs.spec import read_spec
from nas.runs.trace import TraceError, read_trace
from nas.scores.store import ScoreStore
from search_spaces.architecture import Architecture
from search_spaces.files.strict_yaml import parse_yaml


class Run:
    """One search on disk. Nothing here writes; a run that goes on is read anew by opening it again.

    Args:
        path: Its directory, or "sample", the run that is bundled.

    Raises:
        RunDirectoryError: There is no run.
    """

    def __init__(self, path: str | PathLike[str], /) -> None:
        self._directory = RunDirectory(named_run(path))
        self._config = self._directory.read_config()

    def __repr__(self) -> str:
        try:
            finished = "finished" if self.is_finished else "unfinished"
            state = f"{finished}, {len(self.rounds())} rounds"
        except TraceError:  # what to do about it is said by whoever asks for events
            state = "with a broken trace"
        return f"<Run {str(self.path)!r}: {state}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.rounds().to_html(index=False)}"

    @property
    def path(self) -> Path:
        """Its directory."""
        return self._directory.path

    @property
    def config(self) -> Mapping[str, Any]:
        """Its settings, as `config.yaml` holds them; a run of an older version lacks those that came later."""
        config: dict[str, Any] = parse_yaml(self._config, name=str(self.path / "config.yaml"))
        return config

    @cached_property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """Events of its trace, oldest first (`nas.runs.events`); none before the first was written.

        Raises:
            TraceError: A line in the middle is damaged. A torn last line is left out: the run is being written.
        """
        trace = self._directory.trace_path
        return read_trace(trace) if trace.is_file() else []

    @property
    def is_finished(self) -> bool:
        """Whether its search ended, and was not extended since."""
        return bool(self.events) and self.events[-1]["event"] == "search_finished"

    @property
    def score(self) -> str:
        """The name of the score that it searches by, such as "clip"; columns of the frames have it."""
        return score_of(self.events)

    def rounds(self) -> pd.DataFrame:
        """One row per round, and what was then decided; an algorithm without actions has a row per scored architecture.

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

        `run.rounds().merge(run.scores(), on=["arch_id", "weights_digest"], suffixes=("_mean", ""))` says the score of
        every prompt in every round; without `suffixes` pandas would name both columns `clip_x` and `clip_y`.
        """
        return round_frame(self.events, score=self.score)

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
        return evaluation_frame(self.events, score=self.score)

    def scores(self, *, store: str | PathLike[str] | None = None) -> pd.DataFrame:
        """One row per prompt that an architecture was scored on; empty while nothing was.

        `run.evaluations().merge(run.scores(), on=["arch_id", "weights_digest"])` says which action of which round.

        Columns, where another score than CLIP's has its own name in the place of `clip`:
            weights_digest: Digest of the supernet's weights.
            arch_id: Digest of the architecture.
            protocol_digest: Digest of how pictures are made and judged.
            prompts_digest: Digest of the chunk of prompts.
            prompt_id: Digest of caption and noise.
            caption: The prompt's text.
            noise_seed: The prompt's noise.
            clip: The score, in its unit.

        Args:
            store: The folder of a `score_store` that the run shares with others; None = it keeps its own.

        Raises:
            ScoreStoreError: There is no store there.

        Warns:
            ScoreStoreWarning: A damaged file was left out.
        """
        trained = dict.fromkeys(event["weights_digest"] for event in self.events if event["event"] == "trained")
        if not trained and store is None:
            return ScoreStore.empty_frame(score=self.score)
        kept = ScoreStore.existing(self.path / "scores" if store is None else store)
        protocols = {event["digests"]["protocol"] for event in self.events if event["event"] in STARTS}
        frames = [
            kept.frame(score=self.score, weights_digest=weights, protocol_digest=protocol)
            for weights in trained
            for protocol in sorted(protocols)
        ]
        filled = [frame for frame in frames if not frame.empty]
        return pd.concat(filled, ignore_index=True) if filled else ScoreStore.empty_frame(score=self.score)

    @property
    def spec(self) -> Mapping[str, Any]:
        """What it found, as `architecture.json` holds it: scores, latencies (ms), actions, digests.

        Raises:
            SpecError: Its search has not ended yet. A run that was extended keeps what it found before, until it ends.
        """
        return read_spec(self._directory.spec_path)[1]

    @property
    def architecture(self) -> Architecture:
        """The architecture that it found; see `spec`.

        Raises:
            SpecError: Its search has not ended yet.
        """
        return read_spec(self._directory.spec_path)[0]


def open_run(path: str | PathLike[str], /) -> Run:
    """Open a run, whether it is finished, running or crashed; nothing is written.

    Args:
        path: Its directory, or "sample", the run that is bundled.

    Raises:
        RunDirectoryError: There is no run; no folder is made.
    """
    return Run(path)
