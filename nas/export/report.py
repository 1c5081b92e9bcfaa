"""What an export found out about itself, for a table and for `export.json` in its folder."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from search_spaces.folders.loading import SEARCHED


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written and what a clean process said of it. Figures that nobody measured are None.

    Attributes:
        name: Such as "shapes_cpu_lat@12.3ms_clip@0.84".
        form: As asked for.
        loads_as: How to load it, in words: "stock config", or "SearchedUNet" with one import.
        dtype: Of the weights.
        neutral: Modules that add nothing.
        tolerance: Largest difference of outputs that passes.
        max_difference: Largest difference of outputs to the supernet's, for the same input; None = not run here.
        num_params: Parameters of the written UNet; torch counts as many.
        num_macs: Multiply-accumulates of one forward pass at batch 1 and the model's own size; torch counts as many.
        base_num_params: Of the base UNet.
        base_num_macs: Of the base UNet.
        context_tokens: Text tokens that the model reads, at which MACs are counted.
        predicted_ms: By the latency table, for the architecture.
        base_predicted_ms: For the base UNet.
        built_predicted_ms: For what was written: more than `predicted_ms` where it has neutral blocks.
        latency_ms: Measured here for the written UNet, in rounds interleaved with the base UNet's.
        base_latency_ms: Measured here for the base UNet.
        clip: Score of the search that found it, CLIP's unless `scored_by` says another.
        base_clip: Of the base model in that search; None where it started elsewhere.
        scored_by: Name, unit and direction of the score that both are; None = CLIP's.
    """

    name: str
    form: str
    loads_as: str
    dtype: str
    neutral: tuple[str, ...]
    tolerance: float
    max_difference: float | None
    num_params: int
    num_macs: int
    base_num_params: int
    base_num_macs: int
    context_tokens: int
    predicted_ms: float | None
    base_predicted_ms: float | None
    built_predicted_ms: float | None
    latency_ms: float | None
    base_latency_ms: float | None
    clip: float | None
    base_clip: float | None
    scored_by: Mapping[str, Any] | None = None

    @property
    def needs_import(self) -> bool:
        """Whether its UNet is of our class, which diffusers knows only after an import."""
        return self.loads_as == SEARCHED

    @property
    def score_label(self) -> str:
        """What `clip` is called, and which way it counts."""
        if self.scored_by is None:
            return "CLIP selection score"
        better = "higher" if self.scored_by["higher_is_better"] else "lower"
        return f"{self.scored_by['name']}, selection score ({better} is better)"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """(what, base, found) for a table."""
        yield "parameters", f"{self.base_num_params:,}", f"{self.num_params:,}"
        yield (
            f"MACs at {self.context_tokens} text tokens",
            f"{self.base_num_macs / 1e9:,.3f} G",
            f"{self.num_macs / 1e9:,.3f} G",
        )
        if self.clip is not None:
            yield self.score_label, "" if self.base_clip is None else f"{self.base_clip:.4f}", f"{self.clip:.4f}"
        yield "predicted latency, ms", _ms(self.base_predicted_ms), _ms(self.predicted_ms)
        if self.neutral and self.built_predicted_ms is not None and self.predicted_ms is not None:
            more = self.built_predicted_ms - self.predicted_ms
            yield f"{len(self.neutral)} neutral blocks cost, ms", "", f"{more:+.3f}"
        if self.form == "spec":
            return
        if self.latency_ms is not None:
            yield "measured latency here, ms", _ms(self.base_latency_ms), _ms(self.latency_ms)
        checked = "not run here" if self.max_difference is None else f"{self.max_difference:.1e}"
        yield f"reloaded, largest difference (at most {self.tolerance:.0e})", "", checked
        yield (
            "loads as",
            "",
            self.loads_as + (" after `import search_spaces.searched_unet`" if self.needs_import else ""),
        )
        yield "weights", "", self.dtype

    def notes(self) -> Iterator[str]:
        """What a reader of the table may wonder about."""
        if self.latency_ms is not None and self.predicted_ms is not None:
            yield (
                "predicted: by the latency table, for its device; measured: just now on this machine, which may be "
                "another one, busier or with other threads. Compare the ratios of found to base"
                + (
                    f": {self.predicted_ms / self.base_predicted_ms:.3f} predicted"
                    f", {self.latency_ms / self.base_latency_ms:.3f} measured"
                    if self.base_predicted_ms and self.base_latency_ms
                    else ""
                )
            )


def _ms(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3f}"
