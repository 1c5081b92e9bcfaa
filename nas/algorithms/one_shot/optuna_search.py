"""Any sampler of Optuna by name: TPE, NSGA-II, random, grid. Pure, but for the library, which is an extra.

A step builds a study of everything that was scored, with a fresh sampler whose seed is the round's, and asks it for a
batch. So the trace is the truth: no storage, no random state of a sampler outlives a step, and resuming is folding.
What is asked for beyond the limits is repaired to them, what was scored is dropped, and the study is told what was
scored in the end, each trial with its distance to the limit as a constraint. The generation of each trial is told
too: without it NSGA-II would stay at its first generation, which is random search, without an error.
"""

import warnings
from collections.abc import Iterator, Mapping
from enum import StrEnum
from math import inf
from typing import Annotated, Any, Final

from pydantic import Field

from latency.exporters.extras import load_extra
from nas.algorithms.algorithm import AlgorithmKind, Declaration
from nas.algorithms.one_shot.campaign import EXTENDS, BatchSearch, BatchSettings, Campaign
from nas.algorithms.one_shot.genes import Genes
from nas.algorithms.one_shot.proposer import draw, to_limit, unseen
from nas.algorithms.one_shot.tried import Tried
from nas.algorithms.problem import EVERYTHING
from nas.settings import settings
from search_spaces.files.user_error import UserError

MAX_GRID: Final = 2**16  # points that Optuna's grid sampler lists, all in memory
ASKS: Final = 4  # for one that nobody has scored; where a sampler only repeats itself, the rest is drawn at random
MAX_EVALUATIONS: Final = 2000  # asking a sampler takes longer with every trial that it knows: 0.2 s at 2,000 for TPE

DECLARATION: Final = Declaration(
    name="optuna_search",
    paper="Akiba et al., Optuna, KDD 2019 (arXiv 1907.10902); TPE: Bergstra et al. 2011; NSGA-II: Deb et al. 2002",
    cost="`num_evaluations` scorings; TPE's own time grows with the trials that it knows",
    use="a model of the scores without assumptions on them; a front of score and latency",
    objectives=("score", "score and latency_ms"),
    extends=EXTENDS,
    takes=EVERYTHING,
)


class Sampler(StrEnum):
    """A sampler of Optuna."""

    TPE = "tpe"
    NSGA2 = "nsga2"
    RANDOM = "random"
    GRID = "grid"


class Objective(StrEnum):
    """What a study is told to make better."""

    SCORE = "score"
    FRONT = "front"


@settings
class OptunaSettings(BatchSettings):
    """Of a search by Optuna's samplers."""

    num_evaluations: Annotated[
        int, Field(ge=1, le=MAX_EVALUATIONS, description="architectures to score, the start aside")
    ] = 200
    sampler: Annotated[Sampler, Field(description="tpe, nsga2, random or grid")] = Sampler.TPE
    objective: Annotated[
        Objective, Field(description="score = under the limits; front = score and latency both, under the limits")
    ] = Objective.SCORE
    num_startup: Annotated[int, Field(ge=1, description="tpe: random trials before its model")] = 10
    population_size: Annotated[int, Field(ge=4, description="nsga2: trials of a generation")] = 30


def propose(campaign: Campaign[OptunaSettings], /) -> Iterator[Any]:
    """What the sampler asks for, repaired to the limits, without what is known; draws where that is too few."""
    problem, rng, genes = campaign.problem, campaign.rng, Genes.of(campaign.problem)
    known, wanted = {problem.first, *campaign.known}, campaign.room
    for levels in _asked(campaign, genes, seed=int(rng.integers(2**31)), num=ASKS * wanted):
        asked = genes.architecture(levels)
        if problem.refuses(asked):  # counted, and not scored
            yield asked
        architecture = to_limit(problem, asked, rng=rng)
        if architecture not in known:
            known.add(architecture)
            yield architecture
            wanted -= 1
        if not wanted:
            return
    yield from unseen(lambda: draw(problem, rng=rng), known=known, num=wanted)


def note(campaign: Campaign[OptunaSettings], /) -> Mapping[str, str]:
    """Which sampler of which version, in the first round: another version goes on differently."""
    if campaign.round:
        return {}
    optuna = load_extra("optuna", extra="optuna")
    return {"sampler": str(campaign.problem.settings.sampler), "optuna": str(optuna.__version__)}


def front(campaign: Campaign[OptunaSettings], /) -> Iterator[Tried]:
    """What nothing beats in score and latency both, the best score first; all of it keeps the limits."""
    problem, quickest_ms = campaign.problem, inf  # in the three decimals that name a point
    for each in sorted(campaign.meeting, key=lambda each: (-campaign.value(each), problem.price_ms(each.architecture))):
        ms = round(problem.price_ms(each.architecture), 3)
        if ms < quickest_ms and (each == campaign.best or problem.keeps_score(each.score.mean)):
            quickest_ms = ms
            yield each


def _asked(campaign: Campaign[OptunaSettings], genes: Genes, /, *, seed: int, num: int) -> Iterator[list[int]]:
    """What a study of everything that was scored asks for next, as levels; at most `num`."""
    optuna, settings = load_extra("optuna", extra="optuna"), campaign.problem.settings
    spaces = {
        name: optuna.distributions.IntDistribution(0, most)
        for name, most in zip(genes.names, genes.most, strict=True)
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = _sampler(optuna, settings, genes, seed=seed)
        directions = ["maximize"] if settings.objective is Objective.SCORE else ["maximize", "minimize"]
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(sampler=sampler, directions=directions)
        optuna.logging.set_verbosity(level)
        study.add_trials(
            [_trial(optuna, each, campaign, genes, spaces, number=n) for n, each in enumerate(campaign.tried)]
        )
        if settings.sampler is Sampler.NSGA2:  # in order: the first ask of a generation settles its parents
            for generation in range(1, len(campaign.tried) // settings.population_size + 1):
                sampler.get_parent_population(study, generation)
        for _ in range(num):
            params = study.ask(spaces).params
            yield [most - params[name] for name, most in zip(genes.names, genes.most, strict=True)]


def _trial(
    optuna: Any,
    tried: Tried,
    campaign: Campaign[OptunaSettings],
    genes: Genes,
    spaces: Mapping[str, Any],
    *,
    number: int,
) -> Any:
    """A trial of what was scored: blocks that are left, by name."""
    problem, settings = campaign.problem, campaign.problem.settings
    ms = problem.price_ms(tried.architecture)
    left = [most - level for most, level in zip(genes.most, genes.levels(tried.architecture), strict=True)]
    return optuna.trial.create_trial(
        params=dict(zip(genes.names, left, strict=True)),
        distributions=dict(spaces),
        values=[campaign.value(tried), *([ms] if settings.objective is Objective.FRONT else [])],
        constraints={"latency_ms": ms - problem.target_latency_ms}
        | {limit.name: limit.cost(tried.architecture) / limit.most - 1 for limit in problem.limits},
        system_attrs={"NSGAIISampler:generation": number // settings.population_size},
    )


def _sampler(optuna: Any, settings: OptunaSettings, genes: Genes, *, seed: int) -> Any:
    match settings.sampler:
        case Sampler.TPE:
            return optuna.samplers.TPESampler(seed=seed, n_startup_trials=settings.num_startup, multivariate=True)
        case Sampler.NSGA2:
            return optuna.samplers.NSGAIISampler(seed=seed, population_size=settings.population_size)
        case Sampler.RANDOM:
            return optuna.samplers.RandomSampler(seed=seed)
        case Sampler.GRID:
            num = 1
            for most in genes.most:
                num *= most + 1
            if num > MAX_GRID:
                raise UserError(
                    f"`sampler: grid` takes spaces of at most {MAX_GRID:,} architectures, but {len(genes.most)} blocks "
                    f"that may go make {num:,}; protect more blocks, or take tpe, nsga2 or random"
                )
            grid = {name: list(range(most + 1)) for name, most in zip(genes.names, genes.most, strict=True)}
            return optuna.samplers.GridSampler(grid, seed=seed)


def make(settings: OptunaSettings, /) -> BatchSearch[OptunaSettings]:
    """The algorithm.

    Raises:
        MissingExtraError: Optuna is not installed.
    """
    load_extra("optuna", extra="optuna")
    has_front = settings.objective is Objective.FRONT
    parts: dict[str, Any] = {"beside": front} if has_front else {}
    return BatchSearch(settings=settings, declaration=DECLARATION, propose=propose, note=note, **parts)


KIND: Final = AlgorithmKind(declaration=DECLARATION, settings=OptunaSettings, make=make)
