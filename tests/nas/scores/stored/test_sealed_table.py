"""Sealed tables: the same values again, or a broken seal; never other values."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nas.scores.stored.sealed_table import BrokenSealError, seal, unseal

TABLE = pa.table(
    {"text": ["a red ring", "ein Würfel"], "number": [0.1, -0.0], "seed": [1, 2**60], "blob": [b"", b"\0"]}
)
SEALED = seal(TABLE, name="folder/file")


def test_every_value_comes_back() -> None:
    back = unseal(SEALED, name="folder/file")
    assert back.to_pydict() == TABLE.to_pydict()
    assert str(back["number"][1]) == "-0.0"


@given(
    st.lists(
        st.tuples(st.integers(0, len(SEALED) - 1), st.integers(1, 255)),
        min_size=1,
        max_size=4,
        unique_by=lambda f: f[0],
    )
)
@example([(4, 255)])  # the header of the first page
@example([(len(SEALED) - 40, 1)])  # the footer
def test_changed_bytes_break_the_seal_or_change_no_value(flips: list[tuple[int, int]]) -> None:
    data = bytearray(SEALED)
    for place, bits in flips:
        data[place] ^= bits
    try:
        back = unseal(bytes(data), name="folder/file")
    except BrokenSealError:
        return
    assert back.to_pydict() == TABLE.to_pydict()


@given(st.integers(0, len(SEALED) - 1))
def test_a_truncated_table_is_broken(size: int) -> None:
    with pytest.raises(BrokenSealError, match="not a table"):
        unseal(SEALED[:size], name="folder/file")


def test_what_was_sealed_under_another_name_is_broken() -> None:
    with pytest.raises(BrokenSealError, match="not what was written"):
        unseal(SEALED, name="folder/other")


def test_a_table_without_a_seal_is_broken() -> None:
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(TABLE, sink)
    with pytest.raises(BrokenSealError, match="not what was written"):
        unseal(sink.getvalue().to_pybytes(), name="folder/file")
