"""Whether a latency table fits a search: its workload, and the copies that its rows cover."""

from dataclasses import replace

import pytest

from latency import MissingRowsError, WorkloadMismatchError, check_workload
from latency.pricing.fit import check_coverage
from tests.latency.strategies import TOKENS, small_space, table_of

SPACE = small_space()


@pytest.mark.parametrize("num", [1, 2])
def test_a_table_says_how_many_copies_it_covers(num: int) -> None:
    sizes = {"context_tokens": TOKENS}
    table = table_of(replace(SPACE, max_copies=num))
    check_coverage(table, space=replace(SPACE, max_copies=num), sizes=sizes)
    with pytest.raises(MissingRowsError) as error:
        check_coverage(table, space=replace(SPACE, max_copies=3), sizes=sizes)
    assert "`--max-copies` as its `max_copies_per_block`" in str(error.value)
    assert str(error.value).endswith(f"`max_copies_per_block` of at most {num} instead of 3, which this table covers")
    assert error.value.missing == table.missing(replace(SPACE, max_copies=3).reachable_signatures(**sizes))


def test_a_table_of_another_workload_is_refused_with_every_difference():
    table = table_of(SPACE)
    check_workload(table, space=SPACE, context_tokens=TOKENS)
    with pytest.raises(WorkloadMismatchError) as error:
        check_workload(table, space=replace(SPACE, temb_channels=64), height=24, context_tokens=77)
    message = str(error.value)
    for part in ("`latent_height` must be 24, but the table has 12", "`context_tokens` must be 77", "`temb_channels`"):
        assert part in message
    assert "latent_width" not in message
