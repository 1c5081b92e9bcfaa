"""An importer of a small text format: "stopwatch", and then a line "FILE: a number of ms" per run."""

import re

from latency.importers import Importer, Reading, Report, ReportError
from latency.importers.reading import reading_of

LINE = re.compile(r"(\S+): ([0-9.]+) ms", re.ASCII)


def recognises(report: Report, /) -> bool:
    return report.document is None and report.text.partition("\n")[0].strip() == "stopwatch"


def read(report: Report, /) -> tuple[Reading, ...]:
    runs: dict[str, list[float]] = {}
    for number, line in enumerate(report.text.splitlines()[1:], start=2):
        match = LINE.fullmatch(line.strip())
        try:
            file, ms = (match[1], float(match[2])) if match else ("", 0.0)
        except ValueError:
            file = ""
        if not file:
            raise ReportError(f"line {number} must be `FILE: a number of ms`, but got {line!r}")
        runs.setdefault(file, []).append(ms)
    if not runs:
        raise ReportError("at least one line must follow the first, but none does")
    return tuple(reading_of(times, clock="stopwatch", unit="ms", key=file) for file, times in runs.items())


IMPORTER = Importer(
    name="stopwatch", runtime="by hand", recognises=recognises, read=read, about="a line per run, timed by hand"
)
