"""Corrupted reports: whatever a file holds, an importer reads it or raises `ReportError`, and nothing else."""

import copy
import json
import random

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from latency.importers import IMPORTERS, Report, ReportError, read_report
from tests.latency.importers.reports import every_format
from tests.leisure import examples

REPORTS = [(name, report) for name, reports in every_format().items() for report in reports]
ODD: list[object] = [
    None, True, "", "x", "nan", "1e999", "-1", "0", 0, -1, 1e308, 1e-320, 10**400, 2**63, float("nan"), float("inf"),
    [], {}, [[]], {"a": {}}, "9" * 5000, "\x00", "é",
]  # fmt: skip


def mutated_values(value, rng):
    """A JSON value with one part of it exchanged, taken away or doubled."""
    value = copy.deepcopy(value)
    holders = []
    layer = [value]
    while layer:
        holders += [part for part in layer if isinstance(part, (dict, list)) and part]
        layer = [
            p
            for part in layer
            if isinstance(part, (dict, list))
            for p in (part.values() if isinstance(part, dict) else part)
        ]
    holder = rng.choice(holders)
    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    match rng.randrange(3):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case _:
            holder[key] = copy.deepcopy(rng.choice(ODD))
    return value


def mutated_bytes(data, rng):
    """Bytes cut, flipped, doubled, or in another encoding."""
    place = rng.randrange(len(data) + 1)
    match rng.randrange(6):
        case 0:
            return data[:place]
        case 1:
            return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
        case 2:
            end = rng.randrange(place, len(data) + 1)
            return data[:end] + data[place:end] * rng.randrange(1, 4) + data[end:]
        case 3:
            return data.decode("latin-1").encode(rng.choice(["utf-16", "utf-32", "utf-8-sig", "utf-16-le"]))
        case 4:
            token = rng.choice(
                [b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 400, b'"', b"[" * 2000, b"\x00", b";", b"\t"]
            )
            return data[:place] + token + data[place:]
        case _:
            lines = data.split(b"\n")
            rng.shuffle(lines)
            return b"\n".join(lines)


def corrupted(report, seed):
    rng = random.Random(seed)
    data = report.data
    if report.looks_like_json and rng.random() < 0.6:
        value = report.document
        for _ in range(rng.randrange(1, 4)):
            if isinstance(value, (dict, list)) and value:
                value = mutated_values(value, rng)
        try:
            data = json.dumps(value).encode()
        except ValueError:  # a whole number too long to be written
            data = b'{"huge": ' + b"9" * 5000 + b"}"
    else:
        for _ in range(rng.randrange(1, 3)):
            data = mutated_bytes(data, rng)
    return Report(name=report.name, data=data)


def check(report, importer):
    """Read in both ways: as whatever it looks like, and as what it was."""
    for chosen in (None, IMPORTERS[importer]):
        try:
            _, readings = read_report(report, importer=chosen)
        except ReportError:
            continue
        assert all(0 < reading.min_ms <= reading.median_ms <= reading.p90_ms for reading in readings)


@given(st.sampled_from(REPORTS), st.integers(0, 2**32))
@examples(300, suppress_health_check=[HealthCheck.too_slow])
def test_corrupted_reports_are_read_or_refused(named, seed):
    importer, report = named
    check(corrupted(report, seed), importer)


@given(st.binary(max_size=200), st.sampled_from(list(IMPORTERS)))
@examples(150)
def test_any_bytes_are_read_or_refused(data, importer):
    check(Report(name="x", data=data), importer)


@pytest.mark.slow
@pytest.mark.parametrize(("importer", "report"), REPORTS)
def test_thousands_of_corrupted_reports_are_read_or_refused(importer, report):
    for seed in range(3000):
        check(corrupted(report, seed), importer)
