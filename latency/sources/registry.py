"""The latency sources by name: resolved here and nowhere else."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Final

from latency.plugins import Door, instance_of
from latency.pricing.source import LatencySource
from latency.sources import formula, live, table, weighted, worst_of
from latency.sources.kind import OnReport, SourceContext, SourceKind, silent

GROUP: Final = "latency.sources"
OURS: Final[Mapping[str, SourceKind[Any]]] = {
    "table": table.KIND,
    "weighted": weighted.KIND,
    "worst_of": worst_of.KIND,
    "formula": formula.KIND,
    "live": live.KIND,
}


def source_door() -> Door[SourceKind[Any]]:
    """Ours and the plugins' sources."""
    return Door(GROUP, noun="latency source", option="`latency_source.name`", ours=OURS, check=_flaw)


def make_source(
    name: str, /, *, settings: Mapping[str, Any], folder: Path, on_report: OnReport = silent
) -> LatencySource:
    """A latency source.

    Args:
        name: One of ours, or a plugin's.
        settings: Its settings, as a config holds them.
        folder: Folder that relative paths in the settings start from.
        on_report: Told before anything that takes its time; only measuring does.

    Raises:
        PluginError: There is no source of this name, or its plugin is broken.
        SettingsError: The settings break its laws; the message holds all that is wrong.
        ValueError: What the settings name is missing or unfit.
    """
    context = SourceContext(folder=folder, on_report=on_report)
    return source_door().find(name).source(settings, name=name, context=context)


def _flaw(value: object, name: str) -> str:
    if flaw := instance_of(SourceKind, wanted="a `latency.sources.SourceKind`")(value, name):
        return flaw
    settings = getattr(value, "settings", None)
    is_fit = isinstance(settings, type) and is_dataclass(settings)
    return "" if is_fit else f"must have a dataclass of settings, but has {settings!r}"
