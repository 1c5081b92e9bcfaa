"""Formats without a sample, and what each format refuses."""

import json
from typing import Any

import pytest

from latency.importers import IMPORTERS, Importer, ReportError, read_report
from latency.importers.report import read_files
from search_spaces.files.user_error import PluginError, UserError
from tests.latency.importers.reports import (
    TFLITE_CSV,
    TFLITE_LOG,
    ai_hub,
    document,
    every_format,
    measurement,
    sample,
    tensorrt,
    text,
)


def refused(report, importer=None):
    with pytest.raises(ReportError) as error:
        read_report(report, importer=IMPORTERS[importer] if importer else None)
    assert all(line.startswith(f"{report.name}: ") for line in str(error.value).splitlines())
    return str(error.value)


@pytest.mark.parametrize("name", IMPORTERS)
def test_every_format_is_told_from_all_others(name):
    for report in every_format()[name]:
        assert [importer.name for importer in IMPORTERS.values() if importer.recognises(report)] == [name]
        assert read_report(report)[0].name == name


def test_tflite_reads_the_regular_runs_of_the_log_not_the_warm_up():
    _, (reading,) = read_report(text("x.log", TFLITE_LOG))
    assert (reading.median_ms, reading.min_ms, reading.p90_ms) == (14.2909, 13.728, 16.145)
    assert (reading.mean_ms, reading.std_ms, reading.num_samples) == (14.2909, 0.452, 70)
    assert (reading.unit, reading.model) == ("us", "resnet_320.tflite")
    assert "mean stands in for the median" in reading.note


def test_tflite_takes_the_median_where_the_version_reports_it():
    line = "count=40 first=1 curr=2 min=140121 max=187533 avg=14290.9 std=13583 p5=140545 median=141253 p95=187000"
    log = TFLITE_LOG.replace("count=70 first=14941 curr=14066 min=13728 max=16145 avg=14290.9 std=452", line)
    _, (reading,) = read_report(text("x.log", log))
    assert (reading.median_ms, reading.p10_ms, reading.p90_ms) == (141.253, 140.545, 187.0)
    assert "mean" not in reading.note


def test_tflite_csv_takes_the_summary_in_microseconds_of_the_regular_runs():
    _, (reading,) = read_report(text("x.csv", TFLITE_CSV))
    assert (reading.median_ms, reading.num_samples) == (7.29403, 50)
    assert "sum over operators" in reading.note
    assert "one line" in refused(text("x.csv", TFLITE_CSV.replace("Regular Benchmark Runs", "Something Else")))


def test_tflite_statistics_must_be_those_of_the_summary():
    assert "must be of the runs in the summary" in refused(
        text("x.log", TFLITE_LOG.replace("avg=14290.9", "avg=15290.9"))
    )
    assert "one is missing" in refused(text("x.log", TFLITE_LOG.replace("count=", "num=")))


def test_ai_hub_takes_the_median_of_the_runs_and_notes_the_summary():
    _, (reading,) = read_report(ai_hub())
    assert (reading.median_ms, reading.num_samples, reading.unit) == (0.3355, 4, "us")
    assert (reading.compute_unit, reading.note) == ("cpu+npu", "estimated_inference_time 281 us")
    assert not reading.estimated


def test_ai_hub_falls_back_to_the_summary_and_says_so():
    _, (reading,) = read_report(ai_hub(all_inference_times=[]))
    assert (reading.median_ms, reading.num_samples) == (0.281, 1)
    assert "spread unknown" in reading.note
    assert "must hold" in refused(document("x.json", {"execution_summary": {}}))


def test_tensorrt_takes_times_of_queries_not_of_layers():
    _, (reading,) = read_report(tensorrt())
    assert (reading.median_ms, reading.num_samples, reading.compute_unit) == (4.1, 3, "gpu")
    layers = [{"count": 10}, {"name": "conv1 + relu", "timeMs": 40.0, "averageMs": 4.0}]
    assert "--exportTimes" in refused(document("x.json", layers))


def test_coreml_marks_parts_as_estimated():
    _, (whole,) = read_report(document("x.json", measurement(2.0, 2.1, 1.9)))
    assert (whole.median_ms, whole.num_samples, whole.estimated) == (2.0, 3, False)
    _, parts = read_report(document("x.json", [{"name": n, "measurement": measurement(1.0)} for n in "ab"]))
    assert [(part.key, part.estimated) for part in parts] == [("a", True), ("b", True)]
    changed: dict[str, Any] = measurement(2.0, 2.1, 1.9)
    changed["statistics"]["median"] = 2000.0
    assert "must be that of the samples" in refused(document("x.json", changed))


def test_a_trace_may_hold_many_keys_each_with_many_runs():
    def span(key, start, duration, category="user_annotation"):
        return {"ph": "X", "cat": category, "name": f"block:{key}", "ts": start, "dur": duration}

    spans = [span("a", 0, 1000), span("b", 2000, 500), span("a", 3000, 3000), {"ph": "M", "name": "x"}]
    _, readings = read_report(document("x.json", {"traceEvents": spans}))
    assert [(r.key, r.median_ms, r.num_samples) for r in readings] == [("a", 2.0, 2), ("b", 0.5, 1)]
    assert "must not stand inside itself" in refused(document("x.json", {"traceEvents": [*spans, span("a", 10, 20)]}))
    gpu = [*spans, {"cat": "kernel", "name": "gemm", "ts": 0, "dur": 9}]
    assert "of category gpu_user_annotation" in refused(document("x.json", {"traceEvents": gpu}))
    gpu.append(span("a", 0, 7000, "gpu_user_annotation"))
    _, (reading,) = read_report(document("x.json", {"traceEvents": gpu}))
    assert (reading.median_ms, reading.compute_unit) == (7.0, "gpu")


def test_a_failed_openvino_run_is_refused_with_its_text():
    document_ = json.loads(sample("openvino_benchmark_report.json").data)
    message = refused(
        document("x.json", document_ | {"execution_results": {"error": "Cannot compile model: no such op"}})
    )
    assert "Cannot compile model: no such op" in message
    csv = sample("openvino_benchmark_report.csv").data.decode().replace("latency (ms);619.05", "error;out of memory")
    assert "reports: out of memory" in refused(text("x.csv", csv))


def test_openvinos_cpp_tool_has_its_units_in_its_labels_and_its_options_without_dashes():
    labels = {
        "latency (ms)": "Median latency (ms)", "avg latency": "Average latency (ms)",
        "min latency": "Min latency (ms)", "max latency": "Max latency (ms)", "-m": "m",
    }  # fmt: skip
    python = sample("openvino_benchmark_report.csv").data.decode()
    lines = [line.split(";") for line in python.splitlines()]
    cpp = "\n".join(";".join([labels.get(cells[0], cells[0]), *cells[1:]]) for cells in lines)
    assert "Median latency (ms);619.05" in cpp
    importer, readings = read_report(text("x.csv", cpp + "\ninfer_precision;f16"))
    assert (importer.name, readings) == ("openvino", read_report(text("x.csv", python))[1])


def test_openvinos_first_tool_says_nothing_of_the_spread_and_the_note_does():
    few = "\n".join(
        line
        for line in sample("openvino_benchmark_report.csv").data.decode().splitlines()
        if not line.startswith(("avg", "min", "max"))
    )
    _, (reading,) = read_report(text("x.csv", few))
    assert (reading.p10_ms, reading.median_ms, reading.p90_ms) == (619.05, 619.05, 619.05)
    assert reading.note == "the report has no smallest and largest run: the spread is unknown"


def test_an_unknown_csv_is_told_its_columns_and_those_wanted():
    stranger = text("x.csv", "model,latency_us\nblocks/a.onnx,12\n")
    for importer in (None, "csv"):
        message = refused(stranger, importer)
        assert (
            "It has the columns 'model', 'latency_us', while a CSV needs `file` and a median with its unit" in message
        )
        assert len(message.splitlines()) == 1
    assert "and 18 more" in refused(text("x.csv", ",".join(f"c{i}" for i in range(30))))
    assert "columns" not in refused(text("x.txt", "no table"))
    assert "column of median: must be there: `file` and a median" in refused(text("x.csv", "file,latency_us\na,1\n"))


def test_tabs_and_semicolons_separate_cells_too():
    for delimiter in ",;\t":
        _, (reading,) = read_report(text("x.csv", f"file{delimiter}median_us\na{delimiter}1500\n"))
        assert (reading.key, reading.median_ms) == ("a", 1.5)


def test_openvino_reports_of_several_requests_or_another_tool_are_refused():
    data = sample("openvino_benchmark_report.json").data.decode()
    assert "ran at once" in refused(text("x.json", data.replace('requests": "1"', 'requests": "4"')))
    assert "the C++ tool without `-json_stats`" in refused(
        text("x.json", data.replace("latency (ms)", "latency_median"))
    )


def test_executorch_units_come_from_the_columns():
    data = sample("executorch_inspector_res.tsv").data.decode()
    _, (reading,) = read_report(text("x.tsv", data.replace("(ms)", "(us)")))
    assert reading.median_ms == pytest.approx(0.4617715205)
    assert "one unit" in refused(text("x.tsv", data.replace("p90 (ms)", "p90 (us)")))
    assert "one unit" in refused(text("x.tsv", data.replace("(ms)", "(cycles)")))
    assert "has 0" in refused(text("x.tsv", data.replace("Method::execute", "Method::other")))


def test_a_profile_of_one_cold_run_is_refused():
    events = json.loads(sample("onnxruntime_profile_resnet320.json").data)
    cold = events[: 1 + next(i for i, event in enumerate(events) if event["name"] == "model_run")]
    assert "at least 2 `model_run` events" in refused(document("x.json", cold))


@pytest.mark.parametrize(
    ("head", "line", "median_ms"),
    [
        ("file,median_ms", "a.onnx,2.5", 2.5),
        ("file;median (us)", "a.onnx;2500", 2.5),
        ("\ufefffile,p50_ns,num_samples", "a.onnx,2500000,7", 2.5),
        ("file,median_s,avg_s", "a.onnx,0.0025,0.003", 2.5),
    ],
)
def test_csv_headers_name_their_unit(head, line, median_ms):
    _, (reading,) = read_report(text("x.csv", f"{head}\n{line}\n"))
    assert (reading.median_ms, reading.p10_ms, reading.key) == (pytest.approx(median_ms), reading.median_ms, "a.onnx")
    assert reading.note.startswith("not given: p10, p90")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("file,median\na,1\n", "column 'median': must be `file`, `num_samples` or a statistic with its unit"),
        ("file,median_ms,p10_us\na,1,1\n", "all columns must have one unit, but got ms, us"),
        ("file,median_ms,p50_ms\na,1,1\n", "column of median: must stand once"),
        ("file,p10_ms\na,1\n", "column of median: must be there"),
        ("file,median_ms\na,1,2\n", "line 2: must have 2 cells, but has 3"),
        ('file,median_ms\na,"3,5"\n', "line 2: median: must be a number, but got '3,5'"),
        ("file,median_ms\na,0\n", "`median_ms` must be positive"),
        ("file,median_ms\na,-1\nb,nan\n", "line 3: median: must be a number, but got 'nan'"),
        (
            "file,median_ms,p10_ms,p90_ms\na,2,3,1\n",
            "min <= p10 <= median <= p90 must hold, but got 3.0, 3.0, 2.0, 1.0",
        ),
        ("file,median_ms\n,1\n", "line 2: `file` must name the model file"),
    ],
)
def test_bad_csv_is_refused_line_by_line(content, words):
    assert words in refused(text("x.csv", content))


def test_lines_without_a_median_are_files_that_nobody_measured():
    assert read_report(text("x.csv", "file,median_ms\na.onnx,\nb.onnx,1\n"))[1][0].key == "b.onnx"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "looks like none"),
        ("hello", "looks like none"),
        ("[]", "looks like none"),
        ('{"a": 1}', "looks like none"),
        ('{"traceEvents": [', "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ("[" * 100 + "]" * 100, "nested at most 64 deep"),
        ('{"execution_summary": ' + "9" * 5000 + "}", "must be JSON"),
    ],
)
def test_what_no_tool_writes_is_refused(content, words):
    assert words in refused(text("x.json", content))


def test_what_is_no_text_is_refused():
    report = text("x.bin", "")
    assert "must be text in UTF-8" in refused(type(report)(name="x.bin", data=b"\xff\xfe\x00"[::-1] + b"\x80abc"))
    windows = type(report)(name="x.csv", data="file,median_ms\na.onnx,1\n".encode("utf-16"))
    assert read_report(windows)[1][0].median_ms == 1.0


def test_a_named_format_must_be_the_right_one():
    assert "must be a report of litert" in refused(tensorrt(), "litert")


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    paths = [tmp_path / folder / "benchmark_report.json" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_text("{}")
    assert [report.name for report in read_files(paths)] == ["a/benchmark_report.json", "b/benchmark_report.json"]
    assert [report.name for report in read_files(paths[:1])] == ["benchmark_report.json"]
    with pytest.raises(FileNotFoundError, match=r"x\.json, .*y\.json"):
        read_files([tmp_path / "x.json", tmp_path / "y.json"])


@pytest.mark.parametrize(
    ("read", "told_as", "law"),
    [
        (lambda report: (), None, ""),
        (lambda report: [1.5], PluginError, r"'mine' must read x.log into a tuple of `latency.*Reading`, .* \[1.5\]"),
        (lambda report: float("fast"), UserError, "importer 'mine' at x.log: could not convert string to float"),
        (lambda report: vars()["ms"], PluginError, "importer 'mine' at x.log fails, which is its own.* KeyError: 'ms'"),
    ],
)  # fmt: skip
def test_what_a_plugin_reads_is_readings_or_names_it(read, told_as, law):
    mine = Importer(name="mine", runtime="", recognises=lambda report: True, read=read)
    if told_as is None:
        assert read_report(text("x.log", "..."), importer=mine) == (mine, ())
        return
    with pytest.raises(told_as, match=law) as caught:
        read_report(text("x.log", "..."), importer=mine)
    assert type(caught.value) is told_as
