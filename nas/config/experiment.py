"""An experiment: a config with everything that it names, and what a run of another config has to do with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from latency.pricing.source import LatencySource, Prices
from nas.algorithms.algorithm import Algorithm
from nas.algorithms.problem import Problem
from nas.config.aims import aimed
from nas.config.algorithms import make_algorithm
from nas.config.digests import result_digests
from nas.config.extension import check_contents, check_extension
from nas.config.identity.places import without_places
from nas.config.sections import ExperimentConfig, SearchConfig
from nas.evaluation.clip.model import former_clip_digest
from nas.evaluation.door import Declaration
from nas.evaluation.settings import CLIP
from nas.racing.settings import RacingSettings
from nas.references.start import Start
from nas.settings import read
from nas.workers.worker import WorkerSpec
from search_spaces.unets.space import UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A config with everything that it names, checked.

    Attributes:
        config: Where it came from.
        space: Search space of the model's UNet.
        source: Where milliseconds come from.
        price_ms: Predicted latency of an architecture; the space is covered.
        worker: What each worker loads.
        score: What the score says of itself.
        others: The same of the scores that the algorithm asks for beside it, by name.
        algorithm: What decides.
        problem: What it is given: space, prices, target, settings.
        racing: How scoring races; None = exhaustive.
        digests: Content of all that a result depends on; `protocol` is how pictures are made and judged, whatever the
            prompts (`validation`).
        start: Where the search starts.
        context_tokens: Text tokens that the model reads.
    """

    config: ExperimentConfig
    space: UNetSpace
    source: LatencySource
    price_ms: Prices
    worker: WorkerSpec
    score: Declaration
    algorithm: Algorithm[Any]
    problem: Problem[Any]
    racing: RacingSettings | None
    digests: dict[str, str]
    start: Start
    others: Mapping[str, Declaration] = field(default_factory=dict)
    context_tokens: int

    def problem_of(self, config: Mapping[str, Any], /) -> Problem[Any]:
        """The problem of a config of the same run, as plain values, that differs in what may be extended."""
        search = read(SearchConfig, config["search"], name="search")
        problem = replace(self.problem, settings=make_algorithm(search).settings)
        return aimed(problem, search, context_tokens=self.context_tokens)

    def as_begun_with(self, digests: Mapping[str, str], /) -> "Experiment":
        """The experiment as the run of some digests has it.

        Until 0.1.0 digests of folders covered all files that happened to lie in them; a run that was begun so goes on
        so, as long as these are what they were.
        """
        if all(digests.get(name) == digest for name, digest in self.digests.items() if name != "config"):
            return self
        former = self._former_digests()
        named = ("model", "protocol", "start", CLIP)
        if all(digests.get(name) == former.get(name) for name in named):
            return replace(self, digests=former)
        return self

    def _former_digests(self) -> dict[str, str]:
        """What 0.1.0 would have said."""
        score, settings = self.score, self.worker.score.settings
        if score.name == CLIP:
            _, plus, shaping = score.digest.partition("+")
            former = former_clip_digest(settings["model"], pretrained=settings["pretrained"])
            score = replace(score, digest=f"{former}{plus}{shaping}")
        digests = result_digests(
            self.config,
            source=self.source,
            worker=self.worker,
            score=score,
            others=tuple(self.others.values()),
            unet_config=self.worker.model.unet_config(),
            pictures=self.digests.get("training_pictures"),
            whole_folders=True,
        )
        return digests | self.start.former_digests

    def check_extends(self, config: Mapping[str, Any], /, *, digests: Mapping[str, str]) -> None:
        """Check that a run of another config, as plain values, can be continued with this one.

        Args:
            config: The run's.
            digests: Of what it was made of, as its trace has them; none before its first event.

        Raises:
            ChangedConfigError: It cannot; the message shows every change.
        """
        check_extension(
            without_places(config),
            without_places(self.config.plain()),
            extends=self.algorithm.declaration.extends,
            problem_of=self.problem_of,
        )
        check_contents(digests, self.as_begun_with(digests).digests)
