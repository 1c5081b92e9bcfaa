"""Events of a trace as pandas frames, for notebooks."""

from typing import Any

import pandas as pd


def evaluation_frame(events: list[dict[str, Any]], /) -> pd.DataFrame:
    """One row per scored removal: round, action, d_clip with its interval, d_latency_ms, value."""
    rows = [
        {
            "round": e["round"],
            "action": e["action"],
            "d_clip": e["d_clip"]["mean"],
            "d_clip_low": e["d_clip"]["low"],
            "d_clip_high": e["d_clip"]["high"],
            "d_latency_ms": e["d_latency_ms"],
            "value": e["value"],
        }
        for e in events
        if e["event"] == "evaluation" and e["action"] is not None
    ]
    columns = ["round", "action", "d_clip", "d_clip_low", "d_clip_high", "d_latency_ms", "value"]
    return pd.DataFrame(rows, columns=columns)


def round_frame(events: list[dict[str, Any]], /) -> pd.DataFrame:
    """One row per round: architecture, predicted latency, CLIP with its interval, and what was then decided."""
    decisions = {e["round"]: e["actions"] for e in events if e["event"] == "decision"}
    rows = [
        {
            "round": e["round"],
            "arch_id": e["arch_id"],
            "predicted_latency_ms": e["predicted_latency_ms"],
            "clip": e["clip"]["mean"],
            "clip_low": e["clip"]["low"],
            "clip_high": e["clip"]["high"],
            "num_params": e["num_params"],
            "actions": " ".join(decisions.get(e["round"], [])),
        }
        for e in events
        if e["event"] == "evaluation" and e["action"] is None
    ]
    columns = ["round", "arch_id", "predicted_latency_ms", "clip", "clip_low", "clip_high", "num_params", "actions"]
    return pd.DataFrame(rows, columns=columns)
