"""What every test relies on: one thread a process, no reports sent anywhere, laws checked at leisure, and goldens."""

import gc
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch or Ray are imported: their workers inherit the environment.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Ray's workers import the tests' own, and find nothing in the working directory.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))))

from tests.axes import instrument  # imports numpy, whose threads the environment sets

instrument()  # before any module that it checks is imported
gc.disable()  # until all tests are: it takes a fifth of the time that imports take, and finds nothing

# A shared machine makes single examples slow now and then; that is no failure.
settings.register_profile("house", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=25)  # of `make test-fast`: while one writes
settings.load_profile("house")


# The rule of the fast tier: a module is fast when its text names neither the bundled model nor a search over it, starts
# no process, and neither exports nor compiles; or when a line "# fast: ..." says why it is so nevertheless. All others
# are not even imported.
SLOW_WORDS = re.compile(
    r"\b(PIPELINE_DIR|OPEN_CLIP_DIR|write_experiment|experiment: Path|run: Path|parts: PipelineParts|clip: ClipModel"
    r"|subprocess|multiprocessing|import ray|tests\.nas\.searching|from experiments"
    r"|small_setting|model: Path|tests\.warm|from tests import warm|tests\.folders|from_pretrained"
    r"|ExportCache|exports|torch_compile|compile_blocks)\b"
)

FAST_WORD = re.compile(r"^# fast: \w", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-goldens", action="store_true", help="write the golden files instead of comparing")
    parser.addoption("--fast", action="store_true", help="leave out modules that load the model or start a process")
    parser.addoption("--rest", action="store_true", help="run what --fast leaves out, and nothing else")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `--fast` or `--rest`, take half of the test modules by the rule of the fast tier; else all are collected."""
    fast, rest = config.getoption("--fast"), config.getoption("--rest")
    if not (fast or rest) or not collection_path.name.startswith("test_"):
        return None
    text = collection_path.read_text(encoding="utf-8")
    is_slow = SLOW_WORDS.search(text) is not None and FAST_WORD.search(text) is None
    return True if is_slow is fast else None


# Modules that take longest, the longest first: begun last, one would keep a process busy when the other is done.
LONGEST = (
    "nas/workers/test_ray_pool.py",
    "nas/robust_training/test_train.py",
    "nas/export/test_write.py",
    "nas/export/test_forms.py",
    "nas/pipelines/test_families.py",
    "nas/search/test_chaos.py",
    "nas/test_examples.py",
    "latency/backends/test_backends.py",
    "nas/test_stopped_work.py",
    "nas/test_stopped_writers.py",
    "nas/search/test_driver.py",
    "nas/pipelines/test_two_text_encoders.py",
    "test_device_page.py",
    "latency/kits/test_kit.py",
    "latency/measuring/test_calibrate.py",
    "nas/drawing/test_draw.py",
    "nas/pipelines/test_convert.py",
    "nas/references/test_start.py",
    "nas/search/test_extended_search.py",
    "experiments/test_fuzz.py",
    "nas/cli/test_search.py",
    "nas/plugins/test_score_plugin.py",
    "search_spaces/test_searched_unet.py",
    "test_package.py",
    "test_extras.py",
    "experiments/test_mutants.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the modules that take longest begin first; the others follow by their number of tests."""
    ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(LONGEST)}
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (ranks.get(item.path, len(ranks)), -sizes[item.path]))


def pytest_collection_finish() -> None:
    """Put the millions of objects that imports left out of the collector's sight.

    A collection takes half a second else, and every measurement begins with one.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


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
