"""The generic algorithms on NAS-Bench-201, whose regrets are known; the space is no UNet's."""

# fast: one table of numbers, no model
import io
import pickle
from importlib.util import find_spec

import pytest

if find_spec("analognasbench") is None:
    pytest.skip("analog-nasbench is not installed", allow_module_level=True)

from experiments.tabular import choices
from experiments.tabular.cells import CellSpace, _Plain, accuracies, table
from nas.testing.spaces import SearchSpaceLaws


class TestCells(SearchSpaceLaws):
    @pytest.fixture
    def space(self) -> CellSpace:
        return CellSpace()


def test_regret_is_near_what_is_known_and_local_search_beats_chance() -> None:
    known = accuracies()
    assert len(known) == 15_625
    rows = table(known, seeds=5, num=50, names=("random_search", "local_search"))
    regret = dict(zip(rows["algorithm"], rows["regret_50"], strict=True))
    assert regret["local_search"] < 0.45  # 0.20 is known, with a deviation of 0.15 for five seeds
    assert regret["local_search"] < regret["random_search"]


def test_a_sampler_that_is_asked_by_choices_is_as_good_as_is_known() -> None:
    known = accuracies()
    courses = [choices.regrets(known, seed=seed, num=100) for seed in range(3)]
    assert all(len(course) == 100 and course == sorted(course, reverse=True) for course in courses)
    assert sum(course[-1] for course in courses) / 3 < 0.3  # 0.13 is known; 0.71 for one number an edit


def test_nothing_but_plain_records_is_unpickled() -> None:
    with pytest.raises(pickle.UnpicklingError, match="plain records only"):
        _Plain(io.BytesIO(pickle.dumps(print))).load()
