"""What a search asks for milliseconds: a table, a formula, live measurement, or a plugin's source."""

from latency.sources.kind import SettingsError, SourceKind, SourceReport
from latency.sources.registry import make_source, source_door

__all__ = ["SettingsError", "SourceKind", "SourceReport", "make_source", "source_door"]
