"""Our own importers keep the laws that plugins inherit, each with a report of its format."""

from dataclasses import replace
from typing import Any

import pytest

from latency.importers import IMPORTERS, Reading
from latency.testing import ImporterLaws
from tests.latency.importers.reports import every_format

REPORTS = every_format()


@pytest.mark.parametrize("name", list(IMPORTERS))
class TestOurs(ImporterLaws):
    @pytest.fixture
    def importer(self, name):
        return IMPORTERS[name]

    @pytest.fixture
    def report(self, name):
        return REPORTS[name][0]


def greedy(report):
    return True


def careless(report):
    times: dict[str, Any] = dict.fromkeys(("median_ms", "p10_ms", "p90_ms", "min_ms", "mean_ms"), float(report.text))
    return (Reading(**times, std_ms=0.0, num_samples=1, clock="wall", unit="ms"),)


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        ({"recognises": greedy}, "test_it_claims_nothing_foreign"),
        ({"recognises": greedy, "read": careless}, "test_damaged_reports_are_read_or_refused"),
        ({"name": "other"}, "test_nobody_else_claims_its_report"),
    ],
)
def test_an_importer_that_breaks_a_law_is_found_out(changes, law):
    importer = replace(IMPORTERS["csv"], **changes)
    with pytest.raises((AssertionError, ValueError)):
        getattr(ImporterLaws(), law)(importer, REPORTS["csv"][0])
