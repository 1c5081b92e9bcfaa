"""What may be paired: the rows of one maker, of which all frames have most."""

import pandas as pd

from nas.scores.maker import of_one_maker


def frame(**rows: int) -> pd.DataFrame:
    makers = [maker for maker, num in rows.items() for _ in range(num)]
    return pd.DataFrame({"made_by": makers, "clip": range(len(makers))})


def test_base_and_removal_of_different_kinds_are_never_paired() -> None:
    base, removal = of_one_maker(frame(a100=5, h100=2), frame(a100=1, h100=3))
    assert set(base["made_by"]) == set(removal["made_by"]) == {"h100"}
    base, removal = of_one_maker(frame(a100=5), frame(h100=3))
    assert len(base) == 5
    assert removal.empty


def test_of_one_maker_all_is_kept() -> None:
    base, removal = of_one_maker(frame(a100=5), frame(a100=3))
    assert (len(base), len(removal)) == (5, 3)
    assert of_one_maker(frame(), frame(a100=3))[0].empty
