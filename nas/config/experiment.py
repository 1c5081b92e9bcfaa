"""From a config to objects: everything that a config names is resolved here and nowhere else, cheap things first."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from latency.documents.store import read_table
from latency.pricing.pricer import Pricer
from latency.pricing.table import LatencyTable, check_workload
from nas.algorithms.course import Rules
from nas.algorithms.evolving import EvolvingSettings, check_feasible, check_protected
from nas.config.digests import result_digests
from nas.config.extension import check_extension
from nas.config.sections import ExperimentConfig, SearchConfig
from nas.evaluation.clip_model import check_clip_name
from nas.pipelines.execution import Execution, Precision
from nas.pipelines.index import check_pipeline_folder
from nas.pipelines.source import model_folder
from nas.racing.race import RacingSettings
from nas.references.start import Start, find_start
from nas.scores.prompts import ValidationSet, read_captions
from nas.training.captioned_pictures import read_metadata
from nas.training.dropping import check_stages
from nas.training.robust import RobustTrainingSettings
from nas.workers.pool import check_pool
from nas.workers.settings import RaySettings
from nas.workers.worker import WorkerSpec
from search_spaces.diffusers_config import space_from_config
from search_spaces.folders.loading import SEARCHED, read_context_tokens, read_unet_config
from search_spaces.stock_space import SpaceForm
from search_spaces.supernet import CopyStart
from search_spaces.unet_space import UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A config with everything that it names, checked.

    Attributes:
        config: Where it came from.
        space: Search space of the model's UNet.
        table: Latency table of the target device; it covers the space.
        price_ms: Predicted latency of an architecture.
        worker: What each worker loads.
        rules: What the search's course follows: space, prices and Algorithm 1's settings.
        training: Robust training's settings.
        racing: How scoring races; None = exhaustive.
        latency_error: Relative error of the table's rows; values that differ by less are ties.
        digests: Content of all that a result depends on; `protocol` is how pictures are made and judged, whatever the
            prompts (`validation`).
        start: Where the search starts.
        workers: Who scores.
    """

    config: ExperimentConfig
    space: UNetSpace
    table: LatencyTable
    price_ms: Pricer
    worker: WorkerSpec
    rules: Rules
    training: RobustTrainingSettings
    racing: RacingSettings | None
    latency_error: float
    digests: dict[str, str]
    start: Start
    workers: RaySettings

    def rules_of(self, identity: Mapping[str, Any], /) -> Rules:
        """The rules of a config of the same run that differs in what may be extended."""
        search = SearchConfig.model_validate(identity["search"])
        settings = evolving_settings(search, base_ms=self.price_ms(self.space.base))
        return replace(self.rules, settings=settings)

    def check_extends(self, identity: Mapping[str, Any], /) -> None:
        """Check that a run of another config can be continued with this one.

        Raises:
            ChangedConfigError: It cannot; the message shows every change.
        """
        mine = self.config.identity()
        check_extension(identity, mine, settings_of=lambda config: self.rules_of(config).settings)


def resolve(config: ExperimentConfig, /) -> Experiment:
    """Read and check everything that a config names, without loading a model.

    Raises:
        ValueError: A missing or broken part, a table that does not cover the space, or a target below the fastest
            reachable architecture.
    """
    model_folder(config.model)
    index = check_pipeline_folder(config.model, variant=config.model_variant)
    check_clip_name(config.clip.model, pretrained=config.clip.pretrained)
    if config.robust_training.pictures is not None:
        read_metadata(config.robust_training.pictures)
    captions = read_captions(config.validation.captions, num=config.validation.num_prompts)
    validation = ValidationSet.from_captions(captions, seed=config.seed, chunk_size=config.validation.chunk_size)
    unet_config = read_unet_config(config.model)
    if unet_config["_class_name"] == SEARCHED:
        raise ValueError(f"`model` must be a base model, but {config.model} holds a searched UNet; give its base")
    space = space_from_config(
        unet_config, max_copies=config.search.max_copies_per_block, form=SpaceForm(config.search.space)
    )
    table = read_table(config.latency_table)
    context_tokens = read_context_tokens(config.model)
    assert context_tokens is not None, "a pipeline folder has a tokenizer"
    check_workload(table, space=space, context_tokens=context_tokens)
    table.require(space.reachable_signatures(context_tokens=context_tokens))
    start = find_start(config.search.start, model=config.model, space_base=space.base, variant=config.model_variant)
    space.check(start.architecture)
    price_ms = Pricer(table, space=space, context_tokens=context_tokens)
    protected = frozenset(config.search.protected)
    check_protected(space, protected)
    check_stages(space, config.robust_training.drop_probability_by_stage)
    rules = Rules(
        space=space,
        price_ms=price_ms,
        settings=evolving_settings(config.search, base_ms=price_ms(space.base)),
        recovers=config.robust_training.recovery_iterations > 0,
        start=start.architecture if config.search.start is not None else None,
    )
    check_feasible(space, rules.settings, price_ms=price_ms, start=start.architecture)
    worker = WorkerSpec(
        model=config.model,
        clip=config.clip.model,
        clip_pretrained=config.clip.pretrained,
        validation=validation,
        protocol=config.sampling.protocol(),
        latent_size=space.sample_size,
        max_copies=config.search.max_copies_per_block,
        copy_start=CopyStart(config.search.copy_start),
        num_threads=config.num_threads,
        execution=Execution(
            device=config.execution.device,
            precision=Precision(config.execution.precision),
            channels_last=config.execution.channels_last,
            compile_blocks=config.execution.compile_blocks,
        ),
        model_variant=config.model_variant,
    )
    worker.execution.check()
    workers = RaySettings(**config.workers.model_dump())
    check_pool(workers)
    training = RobustTrainingSettings(
        drop_probability=config.robust_training.drop_probability,
        drop_probability_by_stage=config.robust_training.drop_probability_by_stage,
        batch_size=config.robust_training.batch_size,
        learning_rate=config.robust_training.learning_rate,
        protected=protected,
    )
    digests = result_digests(config, table=table, worker=worker, unet_config=unet_config, index=index)
    return Experiment(
        config=config,
        space=space,
        table=table,
        price_ms=price_ms,
        worker=worker,
        rules=rules,
        training=training,
        racing=_racing(config),
        latency_error=table.relative_error,
        digests=digests | start.digests,
        start=start,
        workers=workers,
    )


def evolving_settings(search: SearchConfig, /, *, base_ms: float) -> EvolvingSettings:
    """Algorithm 1's settings, a target given as a share turned into milliseconds."""
    return EvolvingSettings(
        target_latency_ms=search.target_latency_ms or (search.target_ratio or 1) * base_ms,
        removals_per_round=search.removals_per_round,
        max_copies=search.max_copies,
        overshoot=search.overshoot,
        keep_copies=search.keep_copies,
        max_rounds=search.max_rounds,
        protected=frozenset(search.protected),
    )


def _racing(config: ExperimentConfig) -> RacingSettings | None:
    """How scoring races; None = exhaustive.

    Actions of the stock space may exclude each other: a group then needs the order of its members and of those that
    come after it, which no race has settled.
    """
    racing = config.racing
    if not racing.enabled or config.search.space == "stock":
        return None
    return RacingSettings(
        confidence=racing.confidence, min_prompts=racing.min_prompts, indifference=racing.indifference
    )
