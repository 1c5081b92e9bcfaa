"""From a config to objects: everything that a config names is resolved here and nowhere else, cheap things first."""

from dataclasses import dataclass
from pathlib import Path

from latency.store import read_table
from latency.table import LatencyTable, check_workload
from nas.algorithms.evolving import EvolvingSettings, check_feasible, check_protected
from nas.config import ExperimentConfig
from nas.data.captioned_pictures import read_metadata
from nas.evaluation.clip_model import check_clip_name
from nas.evaluation.validation_set import ValidationSet, read_captions
from nas.pipeline_folder import check_pipeline_folder, folder_digest
from nas.robust_training import RobustTrainingSettings, check_stages
from nas.score_store import digest_of
from nas.worker import WorkerSpec
from search_spaces.architecture import Architecture
from search_spaces.diffusers_config import space_from_config
from search_spaces.loading import SEARCHED, read_context_tokens, read_unet_config
from search_spaces.supernet import CopyStart
from search_spaces.unet_space import UNetSpace


class Pricer:
    """Predicted milliseconds of architectures, each computed once."""

    def __init__(self, table: LatencyTable, /, *, space: UNetSpace, context_tokens: int) -> None:
        self._table, self._space, self._context_tokens = table, space, context_tokens
        self._known: dict[Architecture, float] = {}

    def __call__(self, architecture: Architecture, /) -> float:
        """Predicted milliseconds of one forward pass."""
        if architecture not in self._known:
            sites = self._space.sites(architecture, context_tokens=self._context_tokens)
            self._known[architecture] = self._table.predict(sites).total_ms
        return self._known[architecture]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A config with everything that it names, checked.

    Attributes:
        config: Where it came from.
        space: Search space of the model's UNet.
        table: Latency table of the target device; it covers the space.
        price_ms: Predicted latency of an architecture.
        worker: What each worker loads.
        evolving: Algorithm 1's settings.
        training: Robust training's settings.
        digests: Content of all that a result depends on.
    """

    config: ExperimentConfig
    space: UNetSpace
    table: LatencyTable
    price_ms: Pricer
    worker: WorkerSpec
    evolving: EvolvingSettings
    training: RobustTrainingSettings
    digests: dict[str, str]


def resolve(config: ExperimentConfig, /) -> Experiment:
    """Read and check everything that a config names, without loading a model.

    Raises:
        ValueError: A missing or broken part, a table that does not cover the space, or a target below the fastest
            reachable architecture.
    """
    check_pipeline_folder(config.model)
    check_clip_name(config.clip.model, pretrained=config.clip.pretrained)
    if config.robust_training.pictures is not None:
        read_metadata(config.robust_training.pictures)
    captions = read_captions(config.validation.captions, num=config.validation.num_prompts)
    validation = ValidationSet.from_captions(captions, seed=config.seed, chunk_size=config.validation.chunk_size)
    unet_config = read_unet_config(config.model)
    if unet_config["_class_name"] == SEARCHED:
        raise ValueError(f"`model` must be a base model, but {config.model} holds a searched UNet; give its base")
    space = space_from_config(unet_config, max_copies=config.search.max_copies_per_block)
    table = read_table(config.latency_table)
    context_tokens = read_context_tokens(config.model)
    assert context_tokens is not None, "a pipeline folder has a tokenizer"
    check_workload(table, space=space, context_tokens=context_tokens)
    table.require(space.reachable_signatures(context_tokens=context_tokens))
    price_ms = Pricer(table, space=space, context_tokens=context_tokens)
    protected = frozenset(config.search.protected)
    check_protected(space, protected)
    check_stages(space, config.robust_training.drop_probability_by_stage)
    evolving = EvolvingSettings(
        target_latency_ms=config.search.target_latency_ms or (config.search.target_ratio or 1) * price_ms(space.base),
        removals_per_round=config.search.removals_per_round,
        max_copies=config.search.max_copies,
        overshoot=config.search.overshoot,
        keep_copies=config.search.keep_copies,
        max_rounds=config.search.max_rounds,
        protected=protected,
    )
    check_feasible(space, evolving, price_ms=price_ms)
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
    )
    training = RobustTrainingSettings(
        drop_probability=config.robust_training.drop_probability,
        drop_probability_by_stage=config.robust_training.drop_probability_by_stage,
        batch_size=config.robust_training.batch_size,
        learning_rate=config.robust_training.learning_rate,
        protected=protected,
    )
    return Experiment(
        config=config, space=space, table=table, price_ms=price_ms, worker=worker, evolving=evolving, training=training,
        digests=_digests(config, table, worker),
    )  # fmt: skip


def _digests(config: ExperimentConfig, table: LatencyTable, worker: WorkerSpec) -> dict[str, str]:
    clip = (
        folder_digest(Path(config.clip.model))
        if config.clip.pretrained is None
        else f"{config.clip.model}/{config.clip.pretrained}"
    )
    model = {part: folder_digest(config.model / part) for part in ("vae", "text_encoder", "tokenizer", "scheduler")}
    protocol = {
        "sampling": config.sampling.model_dump(),
        "chunk_size": config.validation.chunk_size,
        "num_threads": config.num_threads,
        "latent_size": worker.latent_size,
        "clip": clip,
        "model": model,
        "prompts": [prompt.prompt_id for prompt in worker.validation.prompts],
    }
    digests = {
        "config": digest_of(config.identity()),
        "model": folder_digest(config.model),
        "clip": clip,
        "latency_table": table.digest,
        "protocol": digest_of(protocol),
    }
    if config.robust_training.pictures is not None:
        digests["training_pictures"] = folder_digest(config.robust_training.pictures)
    return digests
