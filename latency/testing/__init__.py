"""Law kits: pytest classes that a plugin's author inherits, one for each door of latency. They need pytest."""

import pytest

pytest.register_assert_rewrite(
    "latency.testing.backend_laws", "latency.testing.importer_laws", "latency.testing.source_laws"
)

from latency.testing.backend_laws import BackendLaws  # noqa: E402  # after their assertions are made to explain
from latency.testing.importer_laws import ImporterLaws  # noqa: E402
from latency.testing.source_laws import LatencySourceLaws  # noqa: E402

__all__ = ["BackendLaws", "ImporterLaws", "LatencySourceLaws"]
