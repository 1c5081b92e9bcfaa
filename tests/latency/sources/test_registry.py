"""Sources by name, with settings as a config holds them: every problem at once."""

from pathlib import Path
from typing import Any

import pytest

from latency import MissingRowsError, WorkloadMismatchError, write_table
from latency.pricing.pricer import Pricer
from latency.sources import SettingsError, SourceKind, make_source
from latency.sources.kind import SourceContext
from latency.sources.table import TableSettings, TableSource
from search_spaces.files.user_error import PluginError, UserError
from tests.latency.strategies import TOKENS, small_space, table_of

FORMULA = {"model": "small", "device": "phone", "relative_error": 0.1, "ms_per_gmac": 1.0}


def test_a_table_is_found_from_its_folder_and_prices_as_it_did(tmp_path):
    table = table_of(small_space())
    write_table(table, tmp_path / "t.json")
    source = make_source("table", settings={"path": "t.json"}, folder=tmp_path)
    assert make_source("table", settings={"path": tmp_path / "t.json"}, folder=tmp_path / "x") == source
    assert source.digest == table.digest
    assert source.scenario.name == "small"
    assert (source.scenario.device, source.scenario.runtime) == ("phone", "engine")
    assert source.distrust is not None
    assert "not calibrated" in source.distrust
    space = small_space()
    price = source.prices(space, context_tokens=TOKENS)(space.base)
    assert price == Pricer(table, space=space, context_tokens=TOKENS)(space.base)
    assert price == table.predict(space.sites(space.base, context_tokens=TOKENS)).total_ms


def test_a_table_that_does_not_cover_the_space_says_so_before_it_prices(tmp_path):
    write_table(table_of(small_space()), tmp_path / "t.json")
    source = make_source("table", settings={"path": "t.json"}, folder=tmp_path)
    with pytest.raises(WorkloadMismatchError, match="`context_tokens` must be 5"):
        source.prices(small_space(), context_tokens=5)
    table = table_of(small_space())
    assert isinstance(source, TableSource)
    gappy = type(source)(table=type(table)(**{n: getattr(table, n) for n in ("device", "runtime", "workload",
        "protocol")}, end_to_end=None, check=None, rows=table.rows[2:]))  # fmt: skip
    with pytest.raises(MissingRowsError, match="2 have no row"):
        gappy.prices(small_space(), context_tokens=TOKENS)


@pytest.mark.parametrize(
    ("name", "settings", "problems"),
    [
        ("table", {"file": "t.json", "n": 1}, ("file: is no key", "n: is no key", "path: must be there")),
        ("formula", FORMULA | {"ms_per_gmac": "1", "devise": "x"}, ("devise: is no key", "ms_per_gmac: must be a")),
        (
            "formula",
            FORMULA | {"relative_error": 2.0, "fixed_ms": -1.0, "ms_per_block": {"shortcut": 1.0, "rest": 1.0}},
            ("`relative_error` must lie", "`fixed_ms` must be at least 0", "shortcut must be at most", "no `rest`"),
        ),
        ("formula", FORMULA | {"ms_per_block": {"convolution": 1.0}}, ("ms_per_block.convolution",)),
        ("formula", FORMULA | {"ms_per_gmac": 0.0}, ("must be above 0, but none is",)),
        ("live", {"model": "sd-1.5", "rounds": 1, "threads": 0}, ("`rounds` must be at least 2", "`threads` must be")),
        ("live", {"model": "sd-1.5", "dtype": "float8"}, ("dtype: must be 'float32'",)),
    ],
)  # fmt: skip
def test_settings_are_checked_all_at_once(name, settings, problems, tmp_path):
    with pytest.raises(SettingsError, match=f"settings of the latency source '{name}'") as caught:
        make_source(name, settings=settings, folder=tmp_path)
    for problem in problems:
        assert problem in str(caught.value)


def test_tables_are_weighted_by_name_whatever_their_order_and_sum(tmp_path):
    for name in ("a", "b"):
        write_table(table_of(small_space()), tmp_path / f"{name}.json")
    source, turned = (
        make_source("weighted", settings={"tables": tables}, folder=tmp_path)
        for tables in ({"a.json": 3, "b.json": 1}, {"b.json": 0.5, "a.json": 1.5})
    )
    assert source.digest == turned.digest
    assert source.scenario.device == "75% phone + 25% phone"
    space = small_space()
    alone = make_source("table", settings={"path": "a.json"}, folder=tmp_path).prices(space, context_tokens=TOKENS)
    assert source.prices(space, context_tokens=TOKENS)(space.base) == pytest.approx(alone(space.base), rel=1e-12)


@pytest.mark.parametrize(
    ("tables", "problem"),
    [({}, "at least one table"), ({"a.json": 0.0}, "a weight above 0"), ({"a.json": -1.0}, "but gives it -1.0")],
)
def test_weights_that_mean_nothing_are_refused(tables, problem, tmp_path):
    with pytest.raises(SettingsError, match=problem):
        make_source("weighted", settings={"tables": tables}, folder=tmp_path)


def test_an_unknown_source_names_those_that_are_there(tmp_path):
    with pytest.raises(
        PluginError,
        match=r"must be one of table, weighted, worst_of, formula, live.*, but got 'guess'.*`latency.sources`",
    ):
        make_source("guess", settings={}, folder=tmp_path)


def test_a_formula_says_what_it_is_and_its_digest_is_its_numbers(tmp_path):
    source = make_source("formula", settings=FORMULA, folder=tmp_path)
    other = make_source("formula", settings=FORMULA | {"ms_per_mparam": 1.0}, folder=tmp_path)
    assert source.digest == make_source("formula", settings=dict(reversed(FORMULA.items())), folder=tmp_path).digest
    assert source.digest != other.digest
    assert source.distrust is not None
    assert "error of 10%" in source.distrust
    space = small_space()
    prices = source.prices(space, context_tokens=TOKENS)
    assert prices(space.base) == pytest.approx(space.num_macs(space.base, context_tokens=TOKENS) / 1e9, rel=1e-12)
    assert prices.latency(space.base).error_ms == pytest.approx(0.1 * prices(space.base), rel=1e-12)


def test_a_kind_that_makes_no_source_is_named_with_what_it_lacks(tmp_path):
    kind: SourceKind[Any] = SourceKind(about="half", settings=TableSettings, make=lambda settings, context: settings)
    with pytest.raises(PluginError, match=r"'half' must make .* TableSettings .* lacks digest, distrust, prices, scen"):
        kind.source({"path": "x"}, name="half", context=SourceContext(folder=tmp_path))


@pytest.mark.parametrize(
    ("raised", "told_as", "law"),
    [
        (ValueError("the phone is not plugged in"), UserError, "^latency source 'mine': the phone is not plugged in$"),
        (KeyError("ms"), PluginError, "^latency source 'mine' fails, which is its own fault: KeyError: 'ms'$"),
        (SettingsError("in its own words"), SettingsError, "^in its own words$"),
        (FileNotFoundError("no such file"), FileNotFoundError, "^no such file$"),
    ],
)
def test_what_a_source_raises_is_its_users_or_its_own_fault(raised, told_as, law):
    def make(settings: TableSettings, context: SourceContext) -> Any:
        raise raised

    kind = SourceKind(about="fails", settings=TableSettings, make=make)
    with pytest.raises(told_as, match=law) as caught:
        kind.source({"path": "t.json"}, name="mine", context=SourceContext(folder=Path()))
    assert type(caught.value) is told_as
