"""What a latency table was measured on, with and how: device, runtime, workload, protocol, and its own checks.

One table is one scenario: a latency is meaningless without them, and none of them is ever rescaled. Plain values; the
names and units are those of the JSON document (`latency/schema_v1.json`). All times are milliseconds.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from search_spaces.blocks import LARGEST
from search_spaces.files.user_error import UserError


class LatencyTableError(UserError):
    """A latency table, or a use of one, that breaks a law; the message holds all that is wrong."""


class Method(StrEnum):
    """How a number came to be."""

    ISOLATED = "isolated"
    """The block ran alone."""
    IN_SITU = "in_situ"
    """The block was timed inside the whole model."""
    DIFFERENCE = "difference"
    """Two measurements were subtracted."""
    ESTIMATED = "estimated"
    """A tool divided a total by weights of its own."""
    MODELLED = "modelled"
    """A formula, fitted or analytical."""
    INTERPOLATED = "interpolated"
    """Neighbouring rows stood in for a missing one."""


class Dtype(StrEnum):
    """Floating-point types of weights, activations and products, as torch names them."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The machine.

    Attributes:
        name: What people call it: "iPhone 14 Pro".
        soc: Processor or system on chip.
        compute_unit: Which of its units ran the model: "cpu", "gpu", "npu".
        os: Operating system.
        num_devices: How many machines of this kind the numbers come from.
    """

    name: str
    soc: str = ""
    compute_unit: str = ""
    os: str = ""
    num_devices: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The software that ran the blocks; it belongs to the device as much as the silicon does.

    Attributes:
        name: Such as "torch-eager".
        version: Its version.
        converter: What turned torch modules into its format; "" where nothing did.
        torch: Version of torch that held the model.
        diffusers: Version of diffusers that built the model.
        options: Settings that change speed, as sorted (name, value) pairs; an object in JSON.
    """

    name: str
    version: str
    converter: str = ""
    torch: str = ""
    diffusers: str = ""
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What was computed.

    Attributes:
        base_model: Name of the model whose blocks these are.
        latent_height: Height of the latents, in latent pixels.
        latent_width: Width of the latents, in latent pixels.
        batch: Samples per forward pass; latencies are for the whole batch.
        cfg_in_batch: Whether that batch holds the conditional and the unconditional half of guidance.
        dtype: Of the weights and activations: "float32".
        context_tokens: Text tokens that cross-attentions read.
        cross_attention_dim: Width of a text token (the widest, where stages differ).
        temb_channels: Width of the time embedding.
        attention_impl: Attention implementation, by diffusers' processor names.
    """

    base_model: str
    latent_height: int
    latent_width: int
    batch: int
    cfg_in_batch: bool = False
    dtype: str
    context_tokens: int
    cross_attention_dim: int
    temb_channels: int
    attention_impl: str

    def __post_init__(self) -> None:
        wrong = {
            name: getattr(self, name)
            for name in ("latent_height", "latent_width", "batch", "context_tokens")
            if not 1 <= getattr(self, name) <= LARGEST
        }
        if wrong:
            raise LatencyTableError(f"numbers of a workload must be from 1 to {LARGEST}, but got {wrong}")

    @property
    def sizes(self) -> dict[str, int]:
        """Latent size and text tokens: the sizes that `UNetSpace.sites` and `reachable_signatures` take."""
        return {"height": self.latent_height, "width": self.latent_width, "context_tokens": self.context_tokens}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that numbers were imported from, with the digest of its content."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How the numbers were taken.

    Attributes:
        method: Of the rows in general; a row's own `source` wins.
        clock: Such as "thread_cpu" or "wall".
        order: Such as "interleaved": every round visits every block once, in random order.
        rounds: Samples per row.
        warm_ups: Calls before the first sample.
        reference: Kernel that brackets every sample; "" for none.
        estimator: How samples became a number.
        importer: Reader of foreign files; "" for own measurements.
        sources: Those files.
    """

    method: Method
    clock: str
    order: str
    rounds: int
    warm_ups: int = 0
    reference: str = ""
    estimator: str = ""
    importer: str = ""
    sources: tuple[SourceFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndToEnd:
    """The whole base model, measured in one piece."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    num_samples: int

    def __post_init__(self) -> None:
        values = (self.p10_ms, self.median_ms, self.p90_ms)
        if not (all(map(math.isfinite, values)) and 0 < self.p10_ms <= self.median_ms <= self.p90_ms):
            raise LatencyTableError(f"p10_ms <= median_ms <= p90_ms must hold, positive and finite, but got {values}")
        if self.num_samples < 1:
            raise LatencyTableError(f"`num_samples` must be at least 1, but got {self.num_samples}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How far the table can be trusted.

    Attributes:
        sum_over_end_to_end: Sum of the base model's blocks over its end-to-end latency; the rest row is left out.
        subnetwork_mape: Mean absolute error of predictions for random sub-networks, as a share; None = not measured.
        kendall_tau: Rank agreement of predicted and measured latencies of these; None = fewer than two.
        num_subnetworks: How many sub-networks were measured.
        bias: Median of predicted over measured latencies of these: what all predictions are off by alike.
        unbiased_mape: `subnetwork_mape` once the bias is divided out: what shares of a latency are off by.
        worst_error: Largest error of one prediction, as a share.
        worst_arch_id: Whose prediction that is.
    """

    sum_over_end_to_end: float
    subnetwork_mape: float | None = None
    kendall_tau: float | None = None
    num_subnetworks: int = 0
    bias: float | None = None
    unbiased_mape: float | None = None
    worst_error: float | None = None
    worst_arch_id: str = ""

    def __post_init__(self) -> None:
        wrong = []
        for name in ("sum_over_end_to_end", "bias"):
            if (factor := getattr(self, name)) is not None and not 0 < factor < math.inf:
                wrong.append(f"`{name}` must be positive and finite, but got {factor}")
        for name in ("subnetwork_mape", "unbiased_mape", "worst_error"):
            if (error := getattr(self, name)) is not None and not 0 <= error < math.inf:
                wrong.append(f"`{name}` must be at least 0 and finite, but got {error}")
        if self.kendall_tau is not None and not -1 <= self.kendall_tau <= 1:
            wrong.append(f"`kendall_tau` must lie in -1..1, but got {self.kendall_tau}")
        if wrong:
            raise LatencyTableError("; ".join(wrong))
