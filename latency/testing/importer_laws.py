"""The laws of an importer, for a test class that inherits them and has two fixtures.

class TestMyImporter(ImporterLaws):
    @pytest.fixture
    def importer(self):
        return MY_IMPORTER

    @pytest.fixture
    def report(self):
        return Report(name="block.txt", data=Path("samples/block.txt").read_bytes())
"""

import random
from collections.abc import Iterator
from typing import ClassVar

import pytest

from latency.importers import IMPORTERS, Importer, Report, ReportError, read_report

FOREIGN = (
    b"",
    b"\x00\x01\x02",
    b"{}",
    b"[]",
    b"[1, 2]",
    b"nonsense\n",
    b'{"a": [1]}',
    b"a,b\n1,2\n",
    "ü".encode("utf-16"),
)


class ImporterLaws:
    """What every importer promises.

    Attributes:
        num_corruptions: Damaged copies of the report that it is tried on.
    """

    num_corruptions: ClassVar[int] = 200

    @pytest.fixture
    def importer(self) -> Importer:
        """The importer; to be overridden."""
        raise NotImplementedError("give your class a fixture `importer`")

    @pytest.fixture
    def report(self) -> Report:
        """A report of its format, as the profiler wrote it; to be overridden."""
        raise NotImplementedError("give your class a fixture `report`")

    def test_it_reads_its_report(self, importer: Importer, report: Report) -> None:
        """At least one reading; times, unit and clock are there, and reading again gives the same."""
        chosen, readings = read_report(report, importer=importer)
        assert chosen is importer
        assert importer.name
        assert readings
        for reading in readings:
            assert 0 < reading.min_ms <= reading.p10_ms <= reading.median_ms <= reading.p90_ms
            assert reading.unit
            assert reading.clock
        assert importer.read(Report(name=report.name, data=report.data)) == readings

    def test_nobody_else_claims_its_report(self, importer: Importer, report: Report) -> None:
        """Formats are found from the content, so a report must look like one format only."""
        claiming = [each.name for each in IMPORTERS.values() if each.recognises(report)]
        assert set(claiming) <= {importer.name}
        assert importer.recognises(report)

    def test_it_claims_nothing_foreign(self, importer: Importer, report: Report) -> None:
        """Other files are not recognised, without any error but `ReportError`."""
        for data in FOREIGN:
            try:
                recognised = importer.recognises(Report(name=report.name, data=data))
            except ReportError:
                continue
            assert not recognised, data

    def test_damaged_reports_are_read_or_refused(self, importer: Importer, report: Report) -> None:
        """Whatever a file holds, the only error is `ReportError`."""
        for damaged in _damaged(report, num=self.num_corruptions):
            try:
                _, readings = read_report(damaged, importer=importer)
            except ReportError:
                continue
            assert all(0 < reading.min_ms <= reading.median_ms <= reading.p90_ms for reading in readings)


def _damaged(report: Report, *, num: int) -> Iterator[Report]:
    """Copies of a report that were cut, flipped, doubled, or got something strange put in."""
    rng = random.Random(0)
    for number in range(num):
        data, place = report.data, rng.randrange(len(report.data) + 1)
        end = rng.randrange(place, len(data) + 1)
        strange = rng.choice(
            [b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 400, b'"', b"[" * 2000, b"\x00", b";", b"\t"]
        )
        yield Report(
            name=report.name,
            data=(
                data[:place],
                data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :],
                data[:end] + data[place:end] + data[end:],
                data[:place] + data[end:],
                data[:place] + strange + data[place:],
            )[number % 5],
        )
