"""Our own sources keep the laws that plugins inherit; sources that break one are found out."""

import pickle
from dataclasses import dataclass, field, replace
from inspect import unwrap

import pytest

from latency.pricing.formula import Formula
from latency.pricing.source import Scenario
from latency.sources.formula import FormulaSource
from latency.sources.live import LiveSource
from latency.sources.machine import LiveSettings, Machine
from latency.sources.table import TableSource
from latency.sources.weighted import WeightedSource
from latency.sources.worst_of import WorstOfSource
from latency.testing import LatencySourceLaws
from search_spaces import BlockKind, SpaceForm, space_from_config
from tests.latency.counting import Counting
from tests.latency.sources.models import one_stage_model
from tests.latency.strategies import CONFIG, TOKENS, small_space, table_of


class OurLaws(LatencySourceLaws):
    context_tokens = TOKENS

    @pytest.fixture
    def space(self):
        return small_space()


class TestTable(OurLaws):
    @pytest.fixture
    def source(self):
        return TableSource(table=table_of(small_space()))


class TestWeighted(OurLaws):
    @pytest.fixture
    def source(self):
        quick, slow = table_of(small_space()), table_of(small_space(), launch_ms=0.05, ms_per_macs=3e-6)
        return WeightedSource(parts=((TableSource(table=quick), 0.25), (TableSource(table=slow), 0.75)))

    def test_it_is_the_mean(self, source, prices, architectures):
        parts = [part.prices(small_space(), context_tokens=TOKENS) for part, _ in source.parts]
        for architecture in architectures:
            quick, slow = (part(architecture) for part in parts)
            assert quick < slow
            assert prices(architecture) == pytest.approx(0.25 * quick + 0.75 * slow)


class TestWorstOf(OurLaws):
    @pytest.fixture
    def source(self):
        tables = (table_of(small_space()), table_of(small_space(), launch_ms=0.05, ms_per_macs=3e-6))
        return WorstOfSource(sources=tuple(TableSource(table=table) for table in tables))


class TestTableOfTheStockSpace(TestTable):
    @pytest.fixture
    def space(self):
        return space_from_config(CONFIG, form=SpaceForm.STOCK)


class TestFormula(OurLaws):
    @pytest.fixture
    def source(self):
        per_block = {BlockKind.RESNET: 0.2, BlockKind.SHORTCUT: 0.05, BlockKind.CROSS_ATTENTION: 0.4}
        formula = Formula(
            model="small", device="phone", relative_error=0.1, ms_per_gmac=3.0, ms_per_mparam=0.7, fixed_ms=1.0,
            ms_per_block=per_block,
        )  # fmt: skip
        return FormulaSource(formula=formula)


class TestFormulaOfTheStockSpace(TestFormula):
    @pytest.fixture
    def space(self):
        return space_from_config(CONFIG, form=SpaceForm.STOCK)


@pytest.fixture(scope="module")
def price_file(tmp_path_factory):
    """One file for all laws of live measurement: what one has measured, the next finds."""
    return tmp_path_factory.mktemp("live") / "prices.jsonl"


class TestLive(LatencySourceLaws):
    """With a backend whose milliseconds are weights, so that nothing has to be forgiven."""

    context_tokens = TOKENS
    num_architectures = 1

    @pytest.fixture
    def space(self):
        return space_from_config(one_stage_model().config, max_copies=0)

    @pytest.fixture
    def source(self, price_file):
        settings = LiveSettings(model="one stage", rounds=2)
        machine = Machine(settings=settings, model=one_stage_model(), backend=Counting, cache=price_file)
        return LiveSource(machine=machine)


@dataclass(frozen=True)
class Broken:
    """A table that lies about one thing."""

    inner: TableSource
    lie: str
    scenario: Scenario = field(default_factory=lambda: Scenario(model="small", device="phone"))
    distrust = None

    @property
    def digest(self):
        return str(id(self)) if self.lie == "digest" else self.inner.digest

    def prices(self, space, /, *, context_tokens):
        return BrokenPrices(self.inner.prices(space, context_tokens=context_tokens), self.lie)


class BrokenPrices:
    def __init__(self, inner, lie):
        self.inner, self.lie, self.cache, self.relative_error = inner, lie, {}, inner.relative_error

    def __call__(self, architecture):
        ms = self.inner(architecture)
        self.cache[architecture] = ms
        return -ms + 100 if self.lie == "dearer" else ms

    def latency(self, architecture):
        return replace(self.inner.latency(architecture), ms=self(architecture))

    def prediction(self, architecture):
        found = self.inner.prediction(architecture)
        return replace(found, breakdown=found.breakdown[1:]) if self.lie == "breakdown" else found

    def milliseconds(self, architectures):
        for architecture in architectures:
            self(architecture)
        return self.inner.milliseconds(architectures) * (1.01 if self.lie == "vectorised" else 1)


@pytest.mark.parametrize(
    ("lie", "law"),
    [
        ("digest", "test_the_digest_is_the_same_for_every_construction"),
        ("dearer", "test_removing_never_raises_the_price"),
        ("breakdown", "test_the_breakdown_sums_to_the_price"),
        ("vectorised", "test_many_at_once_are_as_one_by_one"),
        ("cache", "test_pickled_prices_are_small_and_the_same"),
    ],
)
def test_a_source_that_breaks_a_law_is_found_out(lie, law):
    source, space, laws = Broken(TableSource(table=table_of(small_space())), lie), small_space(), OurLaws()
    given = {
        "source": source,
        "space": space,
        "prices": source.prices(space, context_tokens=TOKENS),
        "architectures": unwrap(OurLaws.architectures)(laws, space),
        "construction": "first",
    }
    method = getattr(laws, law)
    names = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    with pytest.raises(AssertionError):
        method(**{name: given[name] for name in names})


def test_prices_go_without_what_they_have_worked_out():
    priced = TableSource(table=table_of(small_space())).prices(small_space(), context_tokens=TOKENS)
    small = pickle.dumps(priced)
    priced.milliseconds([small_space().base])
    priced(small_space().base)
    assert pickle.dumps(priced) == small
