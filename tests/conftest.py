"""What every test relies on: one thread a process, no reports sent anywhere, laws checked at leisure, and goldens."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch or Ray are imported: their workers inherit the environment.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

# A shared machine makes single examples slow now and then; that is no failure.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-goldens", action="store_true", help="write the golden files instead of comparing")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `goldens/<name>` beside the test; `--record-goldens` writes the file instead."""

    def check(name: str, text: str) -> None:
        path: Path = request.path.parent / "goldens" / name
        if request.config.getoption("--record-goldens"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{path} differs; if meant: pytest --record-goldens"

    return check
