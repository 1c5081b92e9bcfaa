"""docs/traces.md is what the classes say, and every event that a search writes stands there with all its keys."""

import json
from pathlib import Path

from tests.traces import page

PAGE = Path(__file__).parents[1] / "docs" / "traces.md"
# fast: a page of text, and the stored trace of an older run
OLD = Path(__file__).parent / "nas" / "runs" / "goldens" / "run_0_1_0" / "trace.jsonl"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.traces docs/traces.md"


def test_each_event_that_was_written_is_described_with_its_keys() -> None:
    text = page()
    sections = {part.partition("`")[0]: part for part in text.split("### `")[1:]}
    for line in OLD.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        section = sections["search_started" if event["event"] == "search_extended" else event["event"]]
        if event["event"] == "evaluation":
            section = text
        for key in event.keys() - {"event", "runtime"}:
            assert f"| `{key}` |" in section, key
