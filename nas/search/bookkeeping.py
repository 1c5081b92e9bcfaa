"""What a search writes beside its trace, for figures and reports: prices by block, who worked when, losses.

Nothing of it is read again by a search: `nas.runs.records` says what each line holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from latency.pricing.source import ItemisedPrices, Prices
from nas.algorithms.steps import Job, Recipe, Score, Subject
from nas.runs.directory import RunDirectory
from nas.runs.records.lines import Breakdown, Line, Losses, PricedBlock, Timing
from nas.runs.records.reading import read_records
from nas.runs.records.tenths import first_tenth, last_tenth
from nas.runs.records.writing import write_line
from nas.workers.worker import EvaluationResult
from search_spaces.architecture import Architecture
from search_spaces.unets.space import UNetSpace

PHASES = {Recipe.ROBUST: "robust training", Recipe.RECOVERY: "recovery"}
SCORING, SCREENING = "scoring", "screening"  # by the run's own score, and by others


@dataclass(slots=True)
class Bookkeeper:
    """Writes the side files of one run.

    Attributes:
        run: Whose.
        space: The space that is searched.
        prices: Prices of its architectures.
    """

    run: RunDirectory
    space: UNetSpace
    prices: Prices
    _priced: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._priced = {row["arch_id"] for row in read_records(self.run.path, Breakdown).rows}

    def priced(self, architecture: Architecture, /) -> None:
        """What each block of an architecture costs; written once."""
        if architecture.arch_id not in self._priced:
            self._write(breakdown_of(architecture, space=self.space, prices=self.prices))
            self._priced.add(architecture.arch_id)

    def scored(self, result: EvaluationResult, /, *, step: Score, subject: Subject) -> None:
        """A worker answered."""
        self._write(
            Timing(
                phase=SCREENING if result.task.yardstick.by else SCORING,
                round=step.round,
                worker=result.worker,
                arch_id=result.task.architecture.arch_id,
                action=None if subject.action is None else str(subject.action),
                chunk=result.task.chunk,
                job=None,
                num_pictures=0 if result.task.yardstick.by else len(result.scores),
                start=result.start,
                end=result.start + result.seconds,
            )
        )

    def trained(self, job: Job, /, *, round_number: int, index: int, start: float, end: float) -> None:
        """A training is done; `start` and `end` in unix seconds."""
        self._write(
            Timing(
                phase=PHASES[job.recipe],
                round=round_number,
                worker="driver",
                arch_id=job.architecture.arch_id,
                action=None,
                chunk=None,
                job=index,
                num_pictures=0,
                start=start,
                end=end,
            )
        )

    def losses(self, job: Job, /, *, round_number: int, index: int) -> Callable[[int, tuple[float, ...]], None]:
        """What a training calls with (index of a step, losses of it and of those after it)."""

        def write(first: int, losses: tuple[float, ...]) -> None:
            recovering = job.recipe is Recipe.RECOVERY
            self._write(Losses(round=round_number, job=index, recovering=recovering, first_step=first, losses=losses))

        return write

    def _write(self, line: Line) -> None:
        self.run.check_stands()
        write_line(self.run.path, line)


def breakdown_of(architecture: Architecture, /, *, space: UNetSpace, prices: Prices) -> Breakdown:
    """What each block of an architecture costs, as far as its prices know."""
    sites = space.sites(architecture)
    params = {site.name: site.signature.num_params for site in sites}
    if isinstance(prices, ItemisedPrices):
        blocks = tuple(
            PricedBlock(
                name=block.name,
                stage=block.stage,
                position=block.position,
                kind=str(block.kind),
                ms=block.ms,
                num_params=params.get(block.name, 0),
            )
            for block in prices.prediction(architecture).breakdown
        )
    else:
        blocks = tuple(
            PricedBlock(
                name=site.name,
                stage=site.stage,
                position=site.position,
                kind=str(site.signature.kind),
                ms=None,
                num_params=site.signature.num_params,
            )
            for site in sites
        )
    return Breakdown(arch_id=architecture.arch_id, predicted_latency_ms=prices(architecture), blocks=blocks)


def loss_summary(losses: Sequence[float], /) -> dict[str, object]:
    """What a trace says of a training's losses, each of which stands in `training.jsonl`: means of a tenth."""
    if not losses:
        return {}
    return {"loss": {"first": first_tenth(losses), "last": last_tenth(losses)}}
