import json

import pytest

from latency.measuring.sample_log import SampleLog
from latency.measuring.scenario_log import SampleLogError
from latency.timing.estimator import Samples

SCENARIO = {"device": {"name": "here"}, "runtime": {"options": {"threads": "1"}}, "settings": [1, 2]}
LABELS = {1: "one", 2: "two"}


def samples(rounds):
    return {
        task: Samples(
            call_ms=tuple(10.0 * task + n for n in range(rounds)),
            reference_ms=tuple(5.0 + n for n in range(rounds)),
            calls=task,
        )
        for task in LABELS
    }


def log(path, *, scenario=SCENARIO, labels=LABELS):
    return SampleLog(path / "samples.jsonl", scenario=scenario, labels=labels)


def test_what_was_appended_is_read_whatever_the_process(tmp_path):
    first, second = log(tmp_path), log(tmp_path)
    assert first.read() == {}
    first.append(samples(1))
    first.append(samples(2))
    assert second.read() == samples(2)
    second.append(samples(3))
    third = log(tmp_path)
    assert third.read() == samples(3)
    assert (first.num_starts, second.num_starts, third.num_starts) == (1, 2, 2)


@pytest.mark.parametrize("cut", [1, 30, 90])
def test_a_line_that_a_killed_process_left_half_written_does_not_count(cut, tmp_path):
    log(tmp_path).append(samples(1))
    path, whole = tmp_path / "samples.jsonl", (tmp_path / "samples.jsonl").read_bytes()
    again = log(tmp_path)
    again.read()
    again.append(samples(2))
    both = path.read_bytes()
    path.write_bytes(both[: len(whole) + cut])
    resumed = log(tmp_path)
    assert resumed.read() == samples(1)
    resumed.append(samples(2))
    assert path.read_bytes() == both


def test_a_file_that_ends_in_its_first_line_is_an_empty_one(tmp_path):
    log(tmp_path).append(samples(1))
    path = tmp_path / "samples.jsonl"
    path.write_bytes(path.read_bytes()[:50])
    assert log(tmp_path).read() == {}
    log(tmp_path).append(samples(1))
    assert log(tmp_path).read() == samples(1)


def test_samples_of_another_scenario_are_refused_with_every_difference(tmp_path):
    log(tmp_path).append(samples(1))
    other = {"device": {"name": "there"}, "runtime": {"options": {"threads": "2"}}, "settings": [1, 2], "new": None}
    with pytest.raises(SampleLogError) as refused:
        log(tmp_path, scenario=other, labels={1: "one", 3: "three"}).read()
    message = str(refused.value)
    assert "device.name is 'here' instead of 'there'" in message
    assert "runtime.options.threads is '1' instead of '2'" in message
    assert "its tasks differ in 2, such as three" in message
    assert "settings" not in message
    assert "delete it to measure afresh" in message


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lines: ["{"], "line 1 of .* must be JSON"),
        (lambda lines: ["[]"], "line 1"),
        (lambda lines: [lines[0], lines[1], lines[1]], "round 2 is numbered 1"),
        (lambda lines: [lines[0], lines[1].replace("10.0", "-1.0")], "round 1 holds times that are not positive"),
        (lambda lines: [lines[0], lines[1].replace("10.0", "Infinity")], "round 1 holds times that are not positive"),
        (lambda lines: [lines[0], lines[1].replace('"two"', '"too"')], "round 1 does not hold every task once"),
        (lambda lines: [lines[0], lines[1].replace("10.0", '"10"')], r"line 2\.call_ms\.one"),
        (lambda lines: [lines[0].replace('"one": 1', '"one": 0')], "some `calls` are below 1"),
        (
            lambda lines: [json.dumps(json.loads(lines[0]) | {"schema_version": 9})],
            "`schema_version` is 9 instead of 1",
        ),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(edit, message, tmp_path):
    log(tmp_path).append(samples(1))
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(f"{line}\n" for line in edit(path.read_text().splitlines())))
    with pytest.raises(SampleLogError, match=message):
        log(tmp_path).read()
