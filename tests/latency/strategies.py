"""Hypothesis strategies and plain makers of latency values, shared by the tests of this folder."""

from typing import Any

from hypothesis import strategies as st

from latency import Check, Device, EndToEnd, LatencyTable, Method, Protocol, Runtime, SourceFile, TableRow, Workload
from latency.pricing.table import REST
from search_spaces import BlockKind, BlockSignature, UNetSpace, space_from_config

CONFIG = {
    "sample_size": 12,
    "block_out_channels": [8, 16, 16],
    "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "attention_head_dim": 2,
    "cross_attention_dim": 16,
}
TOKENS = 16


def small_space() -> UNetSpace:
    return space_from_config(CONFIG)


def row(signature: BlockSignature, ms: float = 1.0, **values: object) -> TableRow:
    defaults: dict[str, Any] = {
        "median_ms": ms,
        "p10_ms": 0.9 * ms,
        "p90_ms": 1.2 * ms,
        "min_ms": 0.8 * ms,
        "mean_ms": ms,
        "std_ms": 0.1 * ms,
        "num_samples": 16,
        "source": Method.ISOLATED,
    }
    return TableRow(signature=signature, **(defaults | values))


def scenario(**parts: object) -> dict[str, Any]:
    """Everything of a table but its rows."""
    defaults = {
        "device": Device(name="phone"),
        "runtime": Runtime(name="engine", version="1.0", options=(("precision", "high"), ("threads", "1"))),
        "workload": Workload(
            base_model="small", latent_height=12, latent_width=12, batch=1, dtype="float32", context_tokens=TOKENS,
            cross_attention_dim=16, temb_channels=32, attention_impl="AttnProcessor2_0",
        ),
        "protocol": Protocol(method=Method.ISOLATED, clock="wall", order="interleaved", rounds=16),
        "end_to_end": None,
        "check": None,
    }  # fmt: skip
    return defaults | parts


def table_of(
    space: UNetSpace, *, launch_ms: float = 0.01, ms_per_macs: float = 1e-6, power: float = 1.0
) -> LatencyTable:
    """A table that prices a space by a law: launch + scale x MACs^power."""
    signatures = space.reachable_signatures(context_tokens=TOKENS)
    base = list(space.sites(space.base, context_tokens=TOKENS))
    rows = [
        row(s, launch_ms + ms_per_macs * s.num_macs**power, sites=tuple(b.name for b in base if b.signature == s))
        for s in signatures
    ]
    rows.append(row(REST, 0.25, source=Method.DIFFERENCE, sites=("rest",)))
    total = sum(r.median_ms * len(r.sites) for r in rows[:-1])
    whole = EndToEnd(median_ms=total + 0.25, p10_ms=total, p90_ms=total + 1, num_samples=16)
    return LatencyTable(
        **scenario(end_to_end=whole, check=Check(sum_over_end_to_end=total / whole.median_ms)), rows=tuple(rows)
    )


positive = st.floats(1e-6, 1e6)
text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
sizes = st.integers(1, 64)
signatures = st.builds(
    BlockSignature,
    kind=st.sampled_from([kind for kind in BlockKind if kind is not BlockKind.REST]),
    in_channels=sizes, out_channels=sizes, height=sizes, width=sizes, layers=st.integers(0, 4), heads=sizes,
    head_dim=sizes, cross_attention_dim=sizes, context_tokens=sizes, temb_channels=sizes, variant=text,
)  # fmt: skip
site_names = st.text("abc_.0123", min_size=1, max_size=12)


@st.composite
def rows_of(draw: st.DrawFn, signature: BlockSignature) -> TableRow:
    low, p10, median, p90 = sorted(draw(st.lists(positive, min_size=4, max_size=4)))
    return TableRow(
        signature=signature, min_ms=low, p10_ms=p10, median_ms=median, p90_ms=p90, mean_ms=draw(positive),
        std_ms=draw(st.floats(0, 1e6)), num_samples=draw(sizes), source=draw(st.sampled_from(Method)),
        sites=tuple(draw(st.lists(site_names, max_size=3))), file=draw(text), note=draw(text),
    )  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> LatencyTable:
    keys = draw(st.lists(signatures, min_size=1, max_size=6, unique=True))
    rows = tuple(draw(rows_of(key)) for key in keys)
    total = sum(r.median_ms * len(r.sites) for r in rows)
    ratio = draw(st.floats(0.9, 1.1))
    whole = total / ratio if total else draw(positive)
    parts = scenario(
        device=Device(name=draw(text), soc=draw(text), num_devices=draw(sizes)),
        runtime=Runtime(
            name=draw(text), version=draw(text), options=tuple(sorted(draw(st.dictionaries(text, text)).items()))
        ),
        protocol=Protocol(
            method=draw(st.sampled_from(Method)), clock=draw(text), order=draw(text), rounds=draw(sizes),
            sources=(SourceFile(name=draw(text), sha256=draw(text)),),
        ),
        end_to_end=EndToEnd(median_ms=whole, p10_ms=whole, p90_ms=whole, num_samples=draw(sizes)),
        check=Check(sum_over_end_to_end=ratio, subnetwork_mape=draw(st.none() | st.floats(0, 9))),
    )  # fmt: skip
    return LatencyTable(**draw(st.sampled_from([parts, parts | {"end_to_end": None, "check": None}])), rows=rows)
