"""What a result depends on, as digests."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from latency.pricing.source import LatencySource
from nas.config.identity.covered import identity, part_identity, placed_identity
from nas.config.sections import ExperimentConfig
from nas.evaluation.door import Declaration
from nas.evaluation.registry import score_paths
from nas.evaluation.settings import CLIP
from nas.pipelines.index import PipelineClass
from nas.pipelines.schedulers import corrections
from nas.workers.worker import WorkerSpec
from search_spaces.files.digests import digest_of, files_digest, folder_digest


def result_digests(
    config: ExperimentConfig,
    /,
    *,
    source: LatencySource,
    worker: WorkerSpec,
    score: Declaration,
    others: Sequence[Declaration] = (),
    unet_config: Mapping[str, Any],
    pictures: str | None,
    whole_folders: bool = False,
) -> dict[str, str]:
    """Digests of all that a search's result depends on, by name; `protocol` is how pictures are made and judged.

    `protocol_output_change` and the like are how other scores than the run's own come about.

    Args:
        config: The experiment.
        source: Where its milliseconds come from.
        worker: What its workers load.
        score: What their score says of itself.
        others: The same of the other scores that they serve.
        unet_config: Config of its UNet.
        pictures: Digest of its training pictures; None = it has none.
        whole_folders: Whether to cover every file of the model's folder, whatever it is, as 0.1.0 did, rather than
            those that are read. Both are the same where no others are there.
    """
    folder, index, known = worker.model, worker.model.index, dict[Path, bytes]()

    def digest_of_part(part: str) -> str:
        path = folder.part(part)
        return folder_digest(path) if whole_folders else files_digest(folder.part_files(part), folder=path, known=known)

    model: dict[str, Any] = {part: digest_of_part(part) for part in index.parts if part != "unet"}
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
    if corrected := corrections(config.sampling.scheduler, model=worker.model):
        protocol["scheduler"] = corrected

    def protocol_of(declared: Declaration, by: str) -> str:
        if declared.name == CLIP:
            return digest_of(protocol | {CLIP: declared.digest})
        places = score_paths(declared.name)  # what stands there is in the score's own digest
        settings = {name: value for name, value in worker.score_of(by).settings.items() if name not in places}
        return digest_of(
            protocol
            | {
                "score": {"name": declared.name, "settings": settings, "digest": declared.digest},
                "reference": digest_of_part("unet"),  # which any score may look at when it starts
            }
        )

    digests = {
        "config": digest_of(config.identity()),
        "model": folder_digest(folder.path) if whole_folders else folder.digest(known=known),
        CLIP if score.name == CLIP else "score": score.digest,
        "latency_table" if config.latency_table is not None else "latency_source": source.digest,
        protocol_key(): protocol_of(score, ""),
        **{protocol_key(other.name): protocol_of(other, other.name) for other in others},
        "validation": digest_of(
            {
                "prompts": [prompt.prompt_id for prompt in worker.validation.prompts],
                "chunk_size": worker.validation.chunk_size,
            }
        ),
    }
    for name, prompts in (("final_validation", worker.final), ("held_out", worker.held_out)):
        if prompts is not None:
            digests[name] = digest_of({"prompts": [prompt.prompt_id for prompt in prompts.prompts]})
    if pictures is not None:
        digests["training_pictures"] = pictures
    return digests


def protocol_key(by: str = "", /) -> str:
    """Name of the digest of a score's protocol; "" = the run's own."""
    return f"protocol_{by}" if by else "protocol"


def config_digest(alike: Sequence[Mapping[str, Any]], /, *, recorded: Container[object]) -> str:
    """The digest of a run's config.

    Args:
        alike: The config as plain values, and every other that the run had that differs in places alone.
        recorded: Digests of configs that the run has written. Up to 0.1.0 they covered places: one of those stays
            what it is if any of the configs has it.
    """
    now = digest_of(identity(alike[-1]))
    older = (digest_of(placed_identity(config)) for config in alike)
    return next((digest for digest in (now, *older) if digest in recorded), now)
