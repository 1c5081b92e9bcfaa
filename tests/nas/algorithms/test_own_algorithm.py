"""docs/your_own_algorithm.md: its example is executed as it stands, and keeps the laws."""

import sys
from types import ModuleType

import pytest

from nas.testing.algorithms import AlgorithmLaws
from tests.examples import examples

(ALGORITHM, LAWS) = (
    each.text for each in examples() if each.page == "docs/your_own_algorithm.md" and each.language == "python"
)


@pytest.fixture(scope="module")
def written() -> ModuleType:
    module = sys.modules["your_own_algorithm"] = ModuleType("your_own_algorithm")
    exec(compile(ALGORITHM, "docs/your_own_algorithm.md", "exec"), vars(module))
    return module


class TestWhatThePageWrites(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self, written: ModuleType) -> object:
        scope = dict(vars(written))
        exec(compile(LAWS, "docs/your_own_algorithm.md", "exec"), scope)
        assert issubclass(scope["TestBestFew"], AlgorithmLaws)
        return written.KIND.make(written.BestFewSettings(num_evaluations=12, batch_size=4))
