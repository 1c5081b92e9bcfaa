"""A report of whatever there is of a run: finished, running, crashed, older, damaged, empty, and with hostile texts."""

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from nas.cli.app import app
from nas.reports.layout import lay_out
from nas.reports.page import watched_report, write_report
from nas.reports.page.data import report_data
from nas.reports.page.drawings import figures_of
from nas.reports.page.facts import source_base
from nas.reports.page.pictures import BUDGET, Album
from nas.reports.page.reading import read_source
from nas.reports.page.render import render
from nas.reports.page.values import Figure, ReportData
from nas.reports.page.words import milliseconds
from nas.reports.page.writing import is_report
from nas.runs.bundled.naming import BUNDLED_RUNS
from nas.runs.directory import RunDirectoryError
from nas.runs.run import Run, open_run
from search_spaces.files.durable.locks import locked
from search_spaces.files.durable.places import PlaceError
from tests.nas.reports.made_run import ACTIONS, SCRIPT, MadeRun, make_run, write_trace

OLD = Path(__file__).parents[2] / "runs" / "goldens" / "run_0_1_0"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeRun:
    return make_run(tmp_path_factory.mktemp("made") / "mine")


@pytest.fixture
def copied(made: MadeRun, tmp_path: Path) -> MadeRun:
    """The same, to be damaged."""
    return MadeRun(path=Path(shutil.copytree(made.path, tmp_path / "mine")), events=made.events)


def told(run: Path, /) -> ReportData:
    return report_data(read_source(open_run(run)))


def page_of(run: Path, /) -> str:
    """The page without figures, which take their time."""
    source = read_source(open_run(run))
    base = source_base(source)
    return render(report_data(source), layout=None if base is None else lay_out(base))


def test_blocks_are_coloured_by_losses_only_where_there_are_some(made: MadeRun) -> None:
    data, base = told(made.path), source_base(read_source(open_run(made.path)))
    assert base is not None
    unscored = replace(data, blocks=tuple(replace(block, scored=()) for block in data.blocks))
    assert "Colour by" in render(data, layout=lay_out(base))
    assert "Colour by" not in render(unscored, layout=lay_out(base))


def test_numbers_in_a_figure_of_the_page_keep_the_digits_that_the_figure_has(made: MadeRun) -> None:
    (figure,), notices = figures_of(open_run(made.path), names=["evolution"])
    assert not notices
    told = re.findall(r"ms, CLIP score ([\d.]+)<", figure.svg)
    assert told == [f"{score:.3f}" for score in open_run(made.path).rounds()["clip"]]
    places = re.findall(r'transform="translate\(([\d.]+) ', figure.svg)
    assert places
    assert all(len(place.partition(".")[2]) <= 2 for place in places), "what is finer than a screen only makes it long"


@pytest.mark.parametrize(("iterations", "is_told"), [(0, False), (20, True)])
def test_losses_are_missed_of_a_run_that_trains_and_of_no_other(
    iterations: int, is_told: bool, copied: MadeRun
) -> None:
    with (copied.path / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"robust_training: {{iterations: {iterations}, recovery_iterations: 0}}\n")
    notices = open_run(copied.path).notices
    assert any("no training.jsonl" in notice for notice in notices) is is_told
    assert any("no timings.jsonl" in notice for notice in notices), "every search writes them"


def test_a_finished_run_tells_all(made: MadeRun) -> None:
    data = told(made.path)
    assert (data.state, data.stop) == ("finished", "converged")
    assert all("older version" in notice for notice in data.notices), "it has no side files"
    assert (data.numbers.base_latency_ms, data.numbers.latency_ms, data.numbers.target_met) == (40.0, 31.5, True)
    assert (data.numbers.num_gone, data.numbers.num_blocks, data.numbers.num_copied) == (4, 38, 0)
    assert [view.actions for view in data.rounds] == [tuple(ACTIONS)[:2], tuple(ACTIONS)[2:4], ()]
    assert [view.is_found for view in data.rounds] == [False, False, True]
    assert len(data.pairs) == 4
    assert data.numbers.difference is not None
    # CLIP fell by what the four removals cost, give or take the noise of four prompts
    assert data.numbers.difference.mean == pytest.approx(-0.033, abs=0.005)


def test_a_block_knows_its_scores_its_rank_and_what_became_of_it(made: MadeRun) -> None:
    blocks = {block.name: block for block in told(made.path).blocks}
    kept, gone = blocks["resnet[up.2,0]"], blocks["resnet[down.0,1]"]
    assert [(each.round, each.rank, each.num_ranked) for each in kept.scored] == [(0, 5, 6), (1, 3, 4)]
    assert kept.counts == (1, 1, 1)
    assert gone.counts == (1, 1, 0)
    assert gone.removed is not None
    assert (gone.removed.round, gone.removed.order) == (1, 1)
    assert [gone.state(i) for i in range(3)] == ["present", "leaving", "gone"]
    assert blocks["resnet[up.0,0]"].first is None, "it was never scored"
    assert (blocks["resnet[mid,0]"].price_ms, blocks["resnet[mid,0]"].num_params) == (2.5, 1000)
    assert kept.price_ms is None, "nobody itemised it"


def test_a_block_shows_the_same_prompts_with_and_without_it(made: MadeRun) -> None:
    block = next(each for each in told(made.path).blocks if each.name == "resnet[up.2,0]")
    assert block.pictures_round == 1
    assert [shown.caption for shown in block.with_block] == [shown.caption for shown in block.without_block]
    assert all(shown.key for shown in (*block.with_block, *block.without_block))


def test_an_old_run_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    run = Path(shutil.copytree(OLD, tmp_path / "old"))
    config = (run / "config.yaml").read_text(encoding="utf-8")
    (run / "config.yaml").write_text(re.sub(r"\{(\w+)\}", r"/\1", config), encoding="utf-8")
    data = told(run)
    assert data.state == "finished"
    assert data.numbers.target_met is not None
    assert len(data.rounds) == 5
    assert data.blocks


def test_a_torn_trace_is_a_run_that_was_interrupted(copied: MadeRun) -> None:
    write_trace(copied.path, copied.events[:6], torn='{"event": "evalu')
    data = told(copied.path)
    assert data.state == "interrupted"
    assert [step.title for step in data.next_steps] == ["Continue the search"]
    assert len(data.rounds) == 1
    assert "so far" in data.headline


def test_a_damaged_trace_is_told_as_far_as_it_goes_with_a_notice(copied: MadeRun) -> None:
    lines = (copied.path / "trace.jsonl").read_text(encoding="utf-8").splitlines()
    lines[8] = '{"event": "evaluation", '
    (copied.path / "trace.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = told(copied.path)
    assert any("trace.jsonl" in notice for notice in data.notices)
    assert 'role="note"' in page_of(copied.path)


def test_a_run_before_its_first_event_says_that_nothing_happened(copied: MadeRun) -> None:
    write_trace(copied.path, [])
    page = page_of(copied.path)
    assert "Nothing has happened yet" in page
    assert "<h1" in page


def test_lost_scores_and_pictures_are_said_and_cost_no_more(copied: MadeRun) -> None:
    shutil.rmtree(copied.path / "scores")
    data = told(copied.path)
    assert any("There are no pictures" in notice for notice in data.notices)
    assert data.numbers.difference is None
    assert data.numbers.score is not None
    assert not data.pairs


def test_a_damaged_picture_is_left_out_and_said(made: MadeRun) -> None:
    source = read_source(open_run(made.path))
    is_own = (source.pictures["round"] == 0) & source.pictures["action"].isna()
    first = source.pictures.index[is_own][0]
    source.pictures.at[first, "png"] = b"\x89PNG\r\n\x1a\n"
    data = report_data(source)
    assert any("1 picture could not be read" in notice for notice in data.notices)
    assert len(data.pairs) == 3


def test_a_search_by_another_score_is_told_in_its_words_and_direction(tmp_path: Path) -> None:
    data = told(make_run(tmp_path / "fid", score="fid", higher_is_better=False, has_pictures=False).path)
    assert data.score.words == "fid"
    assert data.numbers.difference is not None
    assert data.numbers.difference.mean > 0
    assert "fid lost" in data.headline


def test_held_out_scores_have_their_place_where_the_spec_has_them(copied: MadeRun) -> None:
    spec = json.loads((copied.path / "architecture.json").read_text(encoding="utf-8"))
    found = {"mean": 0.85, "low": 0.8, "high": 0.9, "num_prompts": 100}
    held_out = {"found": found, "base": found | {"mean": 0.84}, "loss": {"mean": -0.01, "low": -0.03, "high": 0.01}}
    (copied.path / "architecture.json").write_text(json.dumps(spec | {"held_out": held_out}), encoding="utf-8")
    data, page = told(copied.path), page_of(copied.path)
    assert data.headline.endswith("no change of CLIP that 100 held-out captions can show")
    went = "CLIP score 0.840 → 0.850; paired difference +0.010 [−0.010, +0.030] over 100 captions: too close"
    assert any(went in sentence for sentence in data.standfirst)
    assert page.index("100 held-out captions, which took no part") < page.index("that the search chose by")
    (copied.path / "architecture.json").write_text(json.dumps(spec | {"held_out": {"found": found}}), encoding="utf-8")
    assert "held-out" not in told(copied.path).headline, "alone it says nothing of a change"


def test_actions_rank_as_the_search_weighed_them_and_the_first_one_says_why() -> None:
    data = told(BUNDLED_RUNS["sample"])
    assert data.evaluations[0].weighed is not None
    first = [each for each in data.evaluations if each.round == 0 and each.is_executed]
    assert {each.rank for each in first} <= set(range(1, 1 + len(first))), "the search took the best ranked"
    why = next(answer.words for answer in data.answers if answer.question.startswith("Which went first"))
    assert "the cheapest of" in why
    assert "each loss weighed by how sure it is" in why
    assert all(each.weighed is None for each in told(OLD).evaluations), "it took the mean as it is"


def test_a_search_that_began_elsewhere_calls_its_start_no_base_and_opens_at_its_result(copied: MadeRun) -> None:
    rounds = [event for event in copied.events if event["event"] == "evaluation" and event["action"] is None]
    events = [dict(event) for event in copied.events]
    for event in events:
        if event.get("stages") == rounds[0]["stages"]:
            event["stages"] = rounds[1]["stages"]
        if event["event"] == "search_finished":
            event |= {"round": 1, "arch_id": rounds[1]["arch_id"]}
    write_trace(copied.path, events)
    data, page = told(copied.path), page_of(copied.path)
    assert (data.numbers.origin, data.opens_at) == ("start", 1)
    assert "Above the start, below what was found" in page
    assert 'id="round" min="0" max="2" value="1"' in page
    (figure,), _ = figures_of(open_run(copied.path), names=["tradeoff"])
    assert "0 · start" in figure.svg


@pytest.mark.parametrize("search", ["{value: of_tomorrow}", "{value: posterior, indifference: [1]}", "[1]"])
def test_a_rule_that_this_version_does_not_know_costs_what_needs_it(search: str, copied: MadeRun) -> None:
    with (copied.path / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"search: {search}\n")
    data = told(copied.path)
    told_of = "`search.value` must be one of paper" if "value" in search else "settings cannot be read"
    assert any(told_of in notice for notice in data.notices)
    assert data.evaluations
    names = ("tradeoff", "importance", "recovery")
    assert {figure.name for figure in figures_of(open_run(copied.path), names=names)[0]} == {"tradeoff", "importance"}


def test_a_page_of_many_rounds_stays_small_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    rng, few, many = np.random.default_rng(0), [], []
    for number in range(30):
        for prompt in range(8):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (96, 96, 3), dtype=np.uint8)).save(file, "PNG")
            row = {
                "round": number,
                "action": None,
                "prompt_id": str(prompt),
                "caption": "noise",
                "png": file.getvalue(),
            }
            many.append(row)
            few += [row] if number < 2 else []
    small, large = Album(pd.DataFrame(few), found=1), Album(pd.DataFrame(many), found=20)
    for album in (small, large):
        for number in range(30):
            album.shown(number, prompts=album.prompts(number))
    assert small.left_out == ""
    assert (len(small.taken), len(large.taken)) == (16, 2 * 8 + 28 * 4)
    ends = [key for number in (0, 20) for key in (shown.key for shown in large.shown(number, prompts=["0"]))]
    assert [large.taken[key or ""].width for key in ends] == [96, 96], "base and found keep their size"
    others = [picture for key, picture in large.taken.items() if not key.startswith(("p0-", "p20-"))]
    assert sum(len(picture.uri) for picture in others) < 1.1 * BUDGET
    assert large.left_out == "Pictures are at most 64 pixels a side and 4 of each round, but those of base and found"


def test_an_empty_directory_is_no_run_and_says_what_to_give(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert answer.exit_code == 2
    assert "error: " in answer.output
    assert not list(tmp_path.iterdir())


def test_texts_with_markup_stay_texts(tmp_path: Path) -> None:
    run = make_run(tmp_path / "<b>mine</b>", captions=[SCRIPT, *"abc"]).path
    page = page_of(run)
    assert SCRIPT not in page
    assert "<b>mine" not in page
    assert page.count("<script") == page.count("</script>") == 2, "its data and its own"
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["blocks"][0]["label"] == "Down-1 ResNet 1"


def test_a_page_asks_nothing_of_a_network_and_its_script_is_small(made: MadeRun) -> None:
    page = page_of(made.path)
    script = page[page.rindex("<script>") :]
    assert len(script) < 30_000
    assert "default-src 'none'" in page
    for address in re.findall(r"""(?:src|href)=["']([^"']*)""", page):
        assert address.startswith(("#", "data:")), address


def test_every_id_stands_once(made: MadeRun, tmp_path: Path) -> None:
    """Of the page with its figures, which have ids of their own."""
    page = write_report(open_run(made.path), tmp_path / "report.html").read_text(encoding="utf-8")
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(set(ids)) == len(ids)
    used = set(re.findall(r"url\(#([^)\"]*)\)", page)) | set(re.findall(r'href="#([^"]+)"', page))
    assert used <= set(ids)
    assert "currentColor" in page, "there are figures"


def test_the_command_writes_into_the_run_and_says_where(copied: MadeRun) -> None:
    answer = CliRunner().invoke(app, ["report", str(copied.path)])
    assert answer.exit_code == 0, answer.output
    assert answer.output.splitlines()[-1] == f"report: {copied.path / 'report.html'}"
    assert 'http-equiv="refresh"' not in (copied.path / "report.html").read_text(encoding="utf-8")


def test_a_watched_page_loads_itself_again_until_the_run_ends(copied: MadeRun, tmp_path: Path) -> None:
    out = tmp_path / "live.html"
    write_trace(copied.path, copied.events[:6])
    lock = locked(copied.path / "trace.jsonl")  # as a search holds it
    assert lock is not None
    seen: list[bool] = []

    def wait(seconds: float) -> None:
        seen.append('http-equiv="refresh"' in out.read_text(encoding="utf-8"))
        if len(seen) == 2:  # nothing happened at first; then the search ends
            write_trace(copied.path, copied.events)
            lock.release()

    writings = list(watched_report(copied.path, out, wait=wait))
    assert seen == [True, True]
    assert writings == [out, out], "nothing happened, nothing written"
    assert 'http-equiv="refresh"' not in out.read_text(encoding="utf-8")


def test_a_run_that_is_removed_while_it_is_watched_stays_removed(
    copied: MadeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(run: Run) -> tuple[tuple[Figure, ...], tuple[str, ...]]:
        shutil.rmtree(run.path)
        return (), ()

    monkeypatch.setattr("nas.reports.page.writing.figures_of", removed)
    with pytest.raises(RunDirectoryError):
        next(watched_report(copied.path))
    assert not copied.path.exists()


@pytest.mark.parametrize("name", ["trace.jsonl", "config.yaml", "notes.html"])
def test_a_report_replaces_reports_alone(copied: MadeRun, name: str) -> None:
    place = copied.path / name
    if not place.exists():
        place.write_text("<!doctype html><title>mine</title>", encoding="utf-8")
    before = place.read_bytes()
    with pytest.raises(PlaceError, match="is to become a report, but a file that is none stands there"):
        write_report(open_run(copied.path), place)
    with pytest.raises(PlaceError, match="is to become a report"):
        next(watched_report(copied.path, place))
    assert place.read_bytes() == before
    own = copied.path / "own.html"
    own.write_text(page_of(copied.path), encoding="utf-8")
    assert is_report(own)
    assert not is_report(place)


def test_the_report_of_a_bundled_run_stands_where_its_reader_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nas.reports.page.writing.figures_of", lambda run: ((), ()))  # they take their time
    assert write_report(open_run("sample")) == Path("sample-report.html")
    assert is_report(tmp_path / "sample-report.html")
    assert not (BUNDLED_RUNS["sample"] / "report.html").exists()


def test_the_page_says_the_numbers_of_the_run() -> None:
    """Tables of the page beside what `nas status`, the spec and the export say, each number by itself."""
    page, run = page_of(BUNDLED_RUNS["sample"]), open_run("sample")
    status = json.loads(CliRunner().invoke(app, ["status", "sample", "--format", "json"]).stdout)
    rows = {
        title: [
            re.findall(r"<td[^>]*?(?:data-v=\"([^\"]*)\")?>(.*?)</td>", row) for row in re.findall("<tr.*?</tr>", part)
        ]
        for title, part in re.findall(r"<summary><h3>(\w+)</h3>.*?<tbody>(.*?)</tbody>", page, re.DOTALL)
    }
    shown = [[float(row[at][0]) for at in (0, 1, 2, 4, 5)] for row in rows["Rounds"]]
    names = ("round", "predicted_latency_ms", "clip", "num_prompts", "num_params")
    assert shown == [pytest.approx([each[name] for name in names], rel=1e-5) for each in status["rounds"]]
    decided = [each for each in status["decisions"] if each["action"]]
    chances, saved = ([each[name] for each in decided] for name in ("chance", "d_latency_ms"))
    assert [float(row[7][0]) for row in rows["Decisions"]] == pytest.approx(chances, rel=1e-5)
    assert [float(row[4][0]) for row in rows["Decisions"]] == pytest.approx(saved, rel=1e-5)
    scored = run.evaluations()
    assert [float(row[2][0]) for row in rows["Evaluations"]] == pytest.approx(scored["d_clip"].tolist(), rel=1e-5)
    assert [int(row[7][0]) for row in rows["Evaluations"]] == scored["num_prompts"].tolist()
    numbers, spec, export = told(run.path).numbers, run.spec, run.exports().iloc[0]
    assert (numbers.latency_ms, numbers.base_latency_ms, numbers.num_params) == (
        spec["predicted_latency_ms"],
        spec["base_latency_ms"],
        export["num_params"],
    )
    assert numbers.score is not None
    assert numbers.measured is not None
    assert (numbers.score.mean, numbers.measured.latency_ms) == (spec["clip"], export["measured_latency_ms"])
    for each in (numbers.latency_ms, numbers.target_latency_ms, numbers.measured.latency_ms):
        assert milliseconds(each) in page
    assert numbers.spent is not None
    assert f"<dd>{numbers.spent.num_pictures:,}</dd>" in page


@pytest.mark.parametrize("clock", [{"time": 1e300}, {"time": "noon"}, {"seconds": "x"}, {"losses": 5}])
def test_a_clock_that_says_nothing_sensible_is_not_heard(copied: MadeRun, clock: dict[str, object]) -> None:
    write_trace(copied.path, [{**event, "runtime": clock} for event in copied.events])
    data = told(copied.path)
    assert data.ended == ""
    assert data.numbers.spent is not None
    assert data.numbers.spent.seconds == 0


@pytest.mark.parametrize("lost", ["search_started", "trained", "evaluation", "decision", "search_finished"])
def test_events_that_are_lost_or_out_of_order_cost_what_they_say(copied: MadeRun, lost: str) -> None:
    all_of, last = list(copied.events), max(i for i, event in enumerate(copied.events) if event["event"] == lost)
    kept = [event for event in all_of if event["event"] != lost]
    for events in (kept, kept[::-1], all_of[::-1], [*all_of, *kept], [*all_of[:last], *all_of[last + 1 :]]):
        write_trace(copied.path, events)
        data = told(copied.path)
        assert len(data.rounds) == sum(e["event"] == "evaluation" and e["action"] is None for e in events)
        assert data.headline


def test_a_base_that_takes_no_time_has_no_share(copied: MadeRun) -> None:
    start, *others = copied.events
    write_trace(copied.path, [{**start, "base_latency_ms": 0.0}, *others])
    assert told(copied.path).numbers.saved is None
    assert "<h1" in page_of(copied.path)
