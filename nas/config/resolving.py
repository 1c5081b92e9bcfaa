"""From a config to objects: everything that a config names is resolved here and nowhere else, cheap things first."""

from dataclasses import replace
from math import isfinite
from pathlib import Path

from latency.documents.shipped import read_latency_table
from latency.plugins import missing_members, named
from latency.pricing.source import LatencySource, Prices
from latency.sources.registry import make_source
from latency.sources.table import TableSource
from nas.algorithms.checking import check_takes
from nas.algorithms.combinators.held_out import HeldOut
from nas.algorithms.feasibility import check_feasible, check_protected
from nas.algorithms.problem import Problem
from nas.algorithms.settings import EVOLVING
from nas.config.aims import aimed
from nas.config.algorithms import make_algorithm
from nas.config.digests import result_digests
from nas.config.experiment import Experiment
from nas.config.loading import stored_config
from nas.config.pins import pinned
from nas.config.places.absolute_paths import absolute_path, with_absolute_paths
from nas.config.scores import check_compares_rounds, other_scores, own_score, screened
from nas.config.sections import ExperimentConfig, SearchConfig
from nas.evaluation.clip.caption_lengths import warn_of_long_captions
from nas.evaluation.door import Declaration
from nas.evaluation.registry import make_score
from nas.evaluation.settings import CLIP
from nas.pipelines.computing.execution import check_device
from nas.pipelines.schedulers import check_sampling
from nas.pipelines.source import find_model
from nas.racing.settings import RacingRule, RacingSettings
from nas.references.start import find_start
from nas.runs.directory import is_run
from nas.scores.drawing import draw_prompts
from nas.training.data.checking import check_pictures, first_captions
from nas.training.data.readers.opening import open_pictures
from nas.training.skipping.making import skip_strategy
from nas.training.skipping.rates import check_names
from nas.workers.pool import check_pool
from nas.workers.worker import WorkerSpec
from search_spaces.architecture import Architecture
from search_spaces.files.user_error import PluginError, UserError
from search_spaces.folders.loading import SEARCHED, read_context_tokens
from search_spaces.unets.diffusers_config import space_from_config
from search_spaces.unets.space import UNetSpace
from search_spaces.unets.stock_space import SpaceForm


def resolve(config: ExperimentConfig, /, *, run: Path | None = None) -> Experiment:
    """Read and check everything that a config names, without loading a model.

    Args:
        config: The experiment; its relative paths, which no file has, are relative to the working directory.
        run: Directory of the run that it is for: one that exists keeps the revisions of its models.

    Raises:
        ValueError: A missing or broken part, a table that does not cover the space, or a target below the fastest
            reachable architecture.
    """
    if not isinstance(config, ExperimentConfig):
        raise UserError(f"`resolve` takes a config, as `load_config(path)` gives it, but got {config!r}")
    if config.search.devices:
        raise UserError(
            "a config with `search.devices` stands for a search per device, which `nas search` without --dry-run and "
            "`nas.search_devices` run; to run or to foresee a single one, set search.devices=[]"
        )
    config = with_absolute_paths(config, absolute=lambda key, given: absolute_path(given, key=key, folder=Path.cwd()))
    config = pinned(config, run=run)
    model = find_model(config.model, variant=config.model_variant)
    check_sampling(config.sampling, model=model)
    config = _drawn_as_before(config, run=run)
    prompts = draw_prompts(config.validation, seed=config.seed)
    told, pictures_digest = {"validation": prompts.captions}, None
    if (path := config.robust_training.pictures) is not None:
        pictures = open_pictures(path, settings=config.robust_training.data)
        check_pictures(pictures, max_corrupt_share=config.robust_training.data.max_corrupt_share)
        told["training"], pictures_digest = first_captions(pictures), pictures.digest
    unet_config = model.unet_config()
    if unet_config["_class_name"] == SEARCHED:
        raise UserError(f"`model` must be a base model, but {config.model} holds a searched UNet; give its base")
    space = space_from_config(unet_config, max_copies=config.search.max_copies_per_block, form=config.search.space)
    source = _source(config)
    context_tokens = read_context_tokens(model.path)
    assert context_tokens is not None, "a pipeline folder has a tokenizer"
    start = find_start(config.search.start, model=model, space_base=space.base)
    space.check(start.architecture)
    priced = space_from_config(
        unet_config,
        max_copies=copies_made(config.search, start.architecture, base=space.base),
        form=config.search.space,
    )
    price_ms = _prices(source, priced, context_tokens=context_tokens)
    protected = frozenset(config.search.protected)
    check_protected(space, protected)
    _check_skipping(config, space, start.architecture)
    algorithm = make_algorithm(config.search)
    own = own_score(config)
    worker = WorkerSpec(
        model=model,
        score=own,
        others=other_scores(config, own=own, asked=algorithm.declaration.scores),
        validation=prompts.deciding,
        final=prompts.final,
        held_out=prompts.held_out,
        protocol=config.sampling,
        latent_size=space.sample_size,
        max_copies=config.search.max_copies_per_block,
        copy_start=config.search.copy_start,
        num_threads=config.num_threads,
        execution=config.execution,
    )
    check_pool(config.workers, device=config.execution.device, training_device=config.training_device)
    if not config.workers.needs_ray:  # Ray's workers check theirs themselves, on their own machines
        worker.execution.check()
    elif config.training_device != "cpu":
        check_device(config.training_device, name="robust_training.device")
    score, *others = (
        Declaration.of(make_score(each.name, settings=each.settings, setting=worker.setting))
        for each in (worker.score, *worker.others)
    )
    check_compares_rounds(score)
    algorithm = screened(algorithm, scoring=config.scoring, others=others)
    warn_of_long_captions(told, model=model, clip=config.clip if config.score.name == CLIP else None)
    problem = Problem(
        space=space,
        price_ms=price_ms,
        target_latency_ms=price_ms(space.base),
        settings=algorithm.settings,
        protected=protected,
        recovers=config.robust_training.recovery_iterations > 0,
        start=start.architecture if config.search.start is not None else None,
        higher_is_better=score.higher_is_better,
        latency_error=price_ms.relative_error,
        seed=config.seed,
        has_finals=prompts.final is not None,
    )
    problem = aimed(problem, config.search, context_tokens=context_tokens)
    check_takes(algorithm, problem)
    check_feasible(problem)
    digests = result_digests(
        config,
        source=source,
        worker=worker,
        score=score,
        others=others,
        unet_config=unet_config,
        pictures=pictures_digest,
    )
    return Experiment(
        config=config,
        space=space,
        source=source,
        price_ms=price_ms,
        worker=worker,
        score=score,
        algorithm=algorithm if prompts.held_out is None else HeldOut(algorithm),
        problem=problem,
        racing=_racing(config),
        digests=digests | start.digests,
        start=start,
        others={other.name: other for other in others},
        context_tokens=context_tokens,
    )


def _drawn_as_before(config: ExperimentConfig, /, *, run: Path | None) -> ExperimentConfig:
    """A config whose captions are drawn as those of a run that exists: one of 0.1.0 shuffled the first of its file."""
    if run is None or not is_run(run):
        return config
    kept = stored_config(run / "config.yaml").validation.drawn_from
    return replace(config, validation=replace(config.validation, drawn_from=kept))


def copies_made(search: SearchConfig, start: Architecture, /, *, base: Architecture) -> int:
    """Copies per block that a search can come to have, which must have prices: those at its start and those it makes.

    Args:
        search: What it may do; of other algorithms than Algorithm 1 nothing but `max_copies_per_block` is known.
        start: Where it starts.
        base: The base model, which has none.
    """
    if search.algorithm != EVOLVING:
        return search.max_copies_per_block
    at_start = 0
    for place, position in start.positions():
        own = base.position(place, position.source)
        at_start = max(at_start, position.resnets - own.resnets, position.cross_attentions - own.cross_attentions)
    return min(search.max_copies_per_block, search.max_copies + at_start)


def _source(config: ExperimentConfig) -> LatencySource:
    """The latency source that a config names."""
    if config.latency_table is not None:
        return TableSource(table=read_latency_table(config.latency_table))
    assert config.latency_source.name is not None, "the config asks for one of both"
    return make_source(config.latency_source.name, settings=config.latency_source.settings, folder=Path())


def _check_skipping(config: ExperimentConfig, space: UNetSpace, architecture: Architecture) -> None:
    """Check that what training skips exists and, where there is training, that it can be skipped that often."""
    training, protected = config.robust_training, config.search.protected
    if training.iterations:
        skip_strategy(training.skipping, space=space, architecture=architecture, protected=protected)
    else:
        check_names(space, training.skipping, protected=protected)


def _prices(source: LatencySource, space: UNetSpace, /, *, context_tokens: int) -> Prices:
    """A source's prices, which price the base model at all, and the same when they are asked again.

    Raises:
        ValueError: They do not, or the source does not cover the space.
    """
    what = f"the latency source of {source.scenario.device}"
    with named(what):
        price_ms = source.prices(space, context_tokens=context_tokens)
        if missing := missing_members(price_ms, Prices):
            raise PluginError(f"{what} must make `latency.Prices`, but what it makes lacks {', '.join(missing)}")
        prices = [price_ms(space.base) for _ in range(2)]
        is_sound = isfinite(prices[0]) and prices[0] > 0 and prices[0] == prices[1]
    if not is_sound:
        raise UserError(
            f"{what} must give the base model a positive number of ms, the same every time, but gave {prices[0]} and "
            f"{prices[1]}; correct the source"
        )
    return price_ms


def _racing(config: ExperimentConfig) -> RacingSettings | None:
    """How scoring races; None = exhaustive.

    Actions of the stock space may exclude each other: a group then needs the order of its members and of those that
    come after it, which elimination has not settled.
    """
    eliminates = config.racing.rule is RacingRule.ELIMINATION
    if not config.racing.enabled or (eliminates and config.search.space is not SpaceForm.ANY):
        return None
    return config.racing
