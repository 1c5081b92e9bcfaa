"""What a result depends on, as digests."""

from collections.abc import Mapping
from typing import Any

from latency.pricing.source import LatencySource
from nas.config.sections import ExperimentConfig, part_identity
from nas.evaluation.door import Declaration
from nas.evaluation.settings import CLIP
from nas.pipelines.index import PipelineClass
from nas.workers.worker import WorkerSpec
from search_spaces.files.digests import digest_of, folder_digest


def result_digests(
    config: ExperimentConfig,
    /,
    *,
    source: LatencySource,
    worker: WorkerSpec,
    score: Declaration,
    unet_config: Mapping[str, Any],
) -> dict[str, str]:
    """Digests of all that a search's result depends on, by name; `protocol` is how pictures are made and judged.

    Args:
        config: The experiment.
        source: Where its milliseconds come from.
        worker: What its workers load.
        score: What their score says of itself.
        unet_config: Config of its UNet.
    """
    index = worker.model.index
    model: dict[str, Any] = {part: folder_digest(config.model / part) for part in index.parts if part != "unet"}
    if index.pipeline_class is not PipelineClass.SD:
        model["zero_empty_prompt"] = index.zero_empty_prompt
    if config.model_variant is not None:
        model["variant"] = config.model_variant
    protocol = {
        "sampling": part_identity("sampling", config.sampling),
        "execution": part_identity("execution", config.execution),
        "num_threads": config.num_threads,
        "latent_size": worker.latent_size,
        "model": {**model, "unet_config": {key: unet_config[key] for key in unet_config if key[0] != "_"}},
    }
    if score.name == CLIP:
        protocol[CLIP] = score.digest
    else:
        protocol["score"] = {"name": score.name, "settings": dict(worker.score.settings), "digest": score.digest}
        protocol["reference"] = folder_digest(config.model / "unet")  # which any score may look at when it starts
    digests = {
        "config": digest_of(config.identity()),
        "model": folder_digest(config.model),
        CLIP if score.name == CLIP else "score": score.digest,
        "latency_table" if config.latency_table is not None else "latency_source": source.digest,
        "protocol": digest_of(protocol),
        "validation": digest_of(
            {
                "prompts": [prompt.prompt_id for prompt in worker.validation.prompts],
                "chunk_size": worker.validation.chunk_size,
            }
        ),
    }
    if config.robust_training.pictures is not None:
        digests["training_pictures"] = folder_digest(config.robust_training.pictures)
    return digests
