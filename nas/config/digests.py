"""What a result depends on, as digests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latency.pricing.table import LatencyTable
from nas.config.sections import ExperimentConfig
from nas.pipelines.index import PipelineClass, PipelineIndex
from nas.workers.worker import WorkerSpec
from search_spaces.files.digests import digest_of, folder_digest


def result_digests(
    config: ExperimentConfig,
    /,
    *,
    table: LatencyTable,
    worker: WorkerSpec,
    unet_config: Mapping[str, Any],
    index: PipelineIndex,
) -> dict[str, str]:
    """Digests of all that a search's result depends on, by name; `protocol` is how pictures are made and judged.

    Args:
        config: The experiment.
        table: Its latency table.
        worker: What its workers load.
        unet_config: Config of its UNet.
        index: What its model folder says of itself.
    """
    clip = (
        folder_digest(Path(config.clip.model))
        if config.clip.pretrained is None
        else f"{config.clip.model}/{config.clip.pretrained}"
    )
    model: dict[str, Any] = {part: folder_digest(config.model / part) for part in index.parts if part != "unet"}
    if index.pipeline_class is not PipelineClass.SD:
        model["zero_empty_prompt"] = index.zero_empty_prompt
    if config.model_variant is not None:
        model["variant"] = config.model_variant
    protocol = {
        "sampling": config.sampling.model_dump(),
        "execution": config.execution.model_dump(),
        "num_threads": config.num_threads,
        "latent_size": worker.latent_size,
        "clip": clip,
        "model": {**model, "unet_config": {key: unet_config[key] for key in unet_config if key[0] != "_"}},
    }
    digests = {
        "config": digest_of(config.identity()),
        "model": folder_digest(config.model),
        "clip": clip,
        "latency_table": table.digest,
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
