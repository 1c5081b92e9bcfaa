"""A run beside others in its page, and figures of which nothing that is read is lost."""

import re
from pathlib import Path

from nas.reports.comparison import compare
from nas.reports.page import write_report
from nas.reports.page.beside import beside
from nas.reports.page.drawings import slim
from nas.reports.side_by_side import lines
from nas.runs.run import open_run, open_runs
from tests.nas.reports.made_run import make_run


def test_the_page_holds_what_the_comparison_says_of_every_run(tmp_path: Path) -> None:
    first, second = (open_run(make_run(tmp_path / name).path) for name in ("first", "<i>second"))
    found = beside(first, [second])
    assert found is not None
    assert found.names == ("first", "<i>second")
    assert {len(cells) for _, cells in found.lines} == {2}
    assert [figure.name for figure in found.figures] == ["fronts"]
    page = write_report(first, tmp_path / "page.html", compare=[second]).read_text(encoding="utf-8")
    (section,) = re.findall(r'<section class="tables beside".*?</section>', page, re.DOTALL)
    assert "&lt;i&gt;second" in section
    assert "<i>second" not in page
    assert all(cell in section for _, cells in found.lines for cell in cells if "[" not in cell and "<" not in cell)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_a_run_alone_is_beside_nothing(tmp_path: Path) -> None:
    assert beside(open_run(make_run(tmp_path / "alone").path), []) is None


def test_what_is_read_in_a_figure_is_read_in_its_page_digit_by_digit() -> None:
    text = '<text style="x: 0.98765">0.93456 [0.12345] id="a" x="0.98765"</text>'
    path = '<path d="M 1.5000 2.00 \nL 10.0 0.12345 \nz" clip-path="url(#c)" style="fill: none"/>'
    svg = f'<svg width="1"><g id="b" transform="translate(1.23456 2)"><g id="a">{path}{text}</g></g><g id="c"/></svg>'
    assert slim(svg, name="n") == (
        '<svg width="1"><style>.n-0{fill: none; clip-path: url(#c)}.n-1{x: 0.98}</style>'
        '<g transform="translate(1.23 2)"><path d="M1.5 2L10 0.12z" class="n-0"/>'
        '<text class="n-1">0.93456 [0.12345] id="a" x="0.98765"</text></g><g id="c"/></svg>'
    )


def test_the_lines_of_a_comparison_are_those_of_the_command(tmp_path: Path) -> None:
    found = compare(open_runs([make_run(tmp_path / name).path for name in ("one", "two")]), now=0.0)
    told = dict(lines(found))
    assert told["state"] == ("finished, converged", "finished, converged")
    assert told["predicted, ms"] == ("31.500", "31.500")
    assert told["better than the first"][0] == ""
