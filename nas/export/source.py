"""What is exported: an architecture and the supernet with its weights, from a run or from a spec and a base model."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

from latency.documents.shipped import read_latency_table
from latency.documents.store import read_table
from latency.pricing.pricer import Pricer
from nas.config.loading import stored_config
from nas.config.sections import ExperimentConfig
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.source import find_model
from nas.references.architecture import read_architecture
from nas.references.base_model import base_model
from nas.references.start import give_found_weights
from nas.runs.directory import RunDirectory, run_of_result
from nas.runs.found_spec import check_found, read_found
from nas.runs.spec import SpecError, check_base, describe
from nas.runs.trace import read_trace
from search_spaces.architecture import Architecture
from search_spaces.files.digests import folder_digest
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import SEARCHED, read_context_tokens
from search_spaces.supernet import Supernet
from search_spaces.unets.diffusers_config import space_from_config
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS
from search_spaces.unets.space import UNetSpace


class ExportError(UserError):
    """An export that did not pass its check, or a place that it may not overwrite."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportSource:
    """An architecture and everything that it is exported from.

    Attributes:
        architecture: What is exported.
        supernet: Has its weights.
        model: The base model.
        spec: What the export says of itself.
        config: Of the search that found it; None for a spec alone.
        price_ms: Predicted latency of an architecture; None without a latency table.
    """

    architecture: Architecture
    supernet: Supernet
    model: ModelFolder
    spec: dict[str, Any]
    config: ExperimentConfig | None
    price_ms: Callable[[Architecture], float] | None


def source_of_run(run_path: Path, /, *, table: Path | None = None) -> ExportSource:
    """The architecture that a search found, with the weights of the round that was chosen.

    Args:
        run_path: Directory of a finished run; or the spec of another of its results, such as
            `RUN/architectures/12.345ms.json`.
        table: Another latency table than the run's, for predictions; None = the run's, if it is as it was.

    Raises:
        ValueError: The run is unfinished, its base model has changed, or its weights are gone.
    """
    run = RunDirectory(run_of_result(run_path) or run_path)
    run.read_config()
    config = stored_config(run.path / "config.yaml")
    spec_path = run.spec_path if run.path == run_path else run_path
    architecture, spec = read_found(spec_path)
    check_found(spec, read_trace(run.trace_path) if run.trace_path.is_file() else (), path=spec_path)
    model = find_model(config.model, variant=config.model_variant)
    known = (model.digest(), folder_digest(model.path))  # the second as 0.1.0 had it: all files there
    if spec["digests"]["model"] not in known:
        raise ExportError(f"{model.path} has changed since the search in {run_path}; restore it, or search again")
    supernet = Supernet(
        model.load_unet(),
        space=space_from_config(model.unet_config(), max_copies=config.search.max_copies_per_block),
        copy_start=config.search.copy_start,
    )
    give_found_weights(supernet, run=run, spec=spec, start=config.search.start, model=model)
    own_table = None
    if config.latency_table is not None and config.latency_table.is_file():
        own = read_table(config.latency_table)
        own_table = config.latency_table if own.digest == spec["digests"].get("latency_table") else None
    _check_costs(spec, architecture, supernet.space, _pricer(own_table, supernet, model), path=spec_path)
    return ExportSource(
        architecture=architecture,
        supernet=supernet,
        model=model,
        spec=spec,
        config=config,
        price_ms=_pricer(table or own_table, supernet, model),
    )


def _check_costs(
    spec: dict[str, Any],
    architecture: Architecture,
    space: UNetSpace,
    price_ms: Callable[[Architecture], float] | None,
    *,
    path: Path,
) -> None:
    """Check what a spec says that can be computed anew.

    Raises:
        SpecError: It says something else.
    """
    space.check(architecture)
    check_base(spec, space=space, name=spec["base"]["model"] if isinstance(spec.get("base"), dict) else "", path=path)
    tokens = spec.get("context_tokens", DEFAULT_CONTEXT_TOKENS)  # 0.1.0 counted at the default, whatever the model
    own: dict[str, float] = {
        "num_params": space.num_params(architecture),
        "num_macs": space.num_macs(architecture, context_tokens=tokens),
    }
    if price_ms is not None:
        own |= {"base_latency_ms": price_ms(space.base), "predicted_latency_ms": price_ms(architecture)}
    if wrong := [
        f"`{key}` {spec[key]} instead of {value}"
        for key, value in own.items()
        if not isclose(spec[key], value, rel_tol=1e-9)
    ]:
        raise SpecError(
            f"{path} must say what its architecture costs, but has {', '.join(wrong)}; run the search's own command, "
            "which writes it again"
        )


def source_of_spec(reference: str, /, *, model: ModelFolder, table: Path | None = None) -> ExportSource:
    """An architecture cut out of a base model, with the base model's own weights.

    Args:
        reference: A spec, an export, a stock folder or a known name; see `read_architecture`.
        model: The base model; its name is for the record.
        table: Latency table, for predictions.

    Raises:
        ValueError: The architecture is another base model's, or the model is no base model.
    """
    if model.unet_config()["_class_name"] == SEARCHED:
        raise ExportError(f"`--model` must be a base model, but {model.path} holds a searched UNet; give its base")
    base = base_model(model.path, name=model.name)
    architecture = read_architecture(reference, base=base)
    supernet = Supernet(model.load_unet(), space=base.space)
    price_ms = _pricer(table, supernet, model)
    spec = describe(architecture, space=base.space, model=base.name, context_tokens=base.context_tokens)
    spec["name"] = f"{base.name}_{architecture.arch_id}"
    if price_ms is not None:
        spec |= {"base_latency_ms": price_ms(base.space.base), "predicted_latency_ms": price_ms(architecture)}
        spec["name"] = f"{base.name}_lat@{spec['predicted_latency_ms']:.1f}ms_{architecture.arch_id}"
    return ExportSource(
        architecture=architecture,
        supernet=supernet,
        model=model,
        spec=spec,
        config=None,
        price_ms=price_ms,
    )


def _pricer(path: Path | None, supernet: Supernet, model: ModelFolder) -> Callable[[Architecture], float] | None:
    if path is None:
        return None
    table = read_latency_table(path)
    workload = table.workload
    return Pricer(
        table,
        space=supernet.space,
        context_tokens=read_context_tokens(model.path) or workload.context_tokens,
        height=workload.latent_height,
        width=workload.latent_width,
    )


def context_tokens_of(source: ExportSource, /) -> int:
    """Text tokens that the base model reads, which MACs depend on."""
    return read_context_tokens(source.model.path) or DEFAULT_CONTEXT_TOKENS
