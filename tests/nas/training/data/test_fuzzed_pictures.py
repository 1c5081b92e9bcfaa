"""Damaged pictures, metadata and captions: read or refused in words, some of each."""

from experiments.fuzz.pictures import inputs
from search_spaces.files.user_error import UserError


def test_whatever_is_damaged_is_read_or_refused_by_name() -> None:
    num_read = num_refused = 0
    for case in inputs(seed=7, num=300):
        try:
            case.run()
            num_read += 1
        except UserError:
            num_refused += 1
    assert num_read > 20
    assert num_refused > 100


def test_the_same_seed_damages_the_same() -> None:
    names = [[case.name for case in inputs(seed=seed, num=60)] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    assert len(set(names[0])) == 60
