"""Where nobody looks at a terminal, measuring and exporting say where they stand, a line per tenth of the way."""

import pytest

from latency.blocks.tasks import PrepareReport
from nas.cli.latency.progress import latency_progress


def test_a_line_is_said_per_tenth_of_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    with latency_progress("Exporting") as progress:
        for number in range(1, 41):
            progress.on_prepare(PrepareReport(what="block", number=number, total=40))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"preparing {done} of 40" for done in range(0, 40, 4)]
