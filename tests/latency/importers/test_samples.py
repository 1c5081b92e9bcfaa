"""Every real report of the samples, with the number that a person reads in it."""

from dataclasses import asdict

import pytest

from latency.importers import ReportError, read_report
from tests.latency.importers.reports import sample

NAMES = ("median_ms", "p10_ms", "p90_ms", "min_ms", "mean_ms", "num_samples", "unit", "estimated")
GOLDEN = {
    # model_run events of 666236, 674529 and 605654 us; the first is cold
    "onnxruntime_profile_resnet320.json": (
        "onnxruntime",
        (640.0915, 612.5415, 667.6415, 605.654, 640.0915, 2, "us", False),
    ),
    "openvino_benchmark_report.json": ("openvino", (383.24, 350.0, 426.65, 350.0, 387.92, 4, "ms", False)),
    "openvino_benchmark_report.csv": ("openvino", (619.05, 611.14, 643.25, 611.14, 624.19, 4, "ms", False)),
    "openvino_benchmark_detailed_counters_report.json": (
        "openvino-counters",
        (392.603, 392.603, 392.603, 392.603, 392.603, 1, "ms", True),
    ),
    "openvino_benchmark_detailed_counters_report.csv": (
        "openvino-counters",
        (634.217, 634.217, 634.217, 634.217, 634.217, 1, "ms", True),
    ),
    "executorch_inspector_res.tsv": (
        "executorch",
        (461.7715205, 457.5668174, 491.4592798, 457.287449, 470.872612, 4, "ms", False),
    ),
    "executorch_inspector_attn.tsv": (
        "executorch",
        (4548.078474, 4389.4261737, 5203.4944697, 4337.583456, 4725.4940795, 4, "ms", False),
    ),
    "litert_benchmark_res.json": ("litert", (632.62, 430.34, 674.48, 405.12, 578.84, 5, "ms", False)),
    "litert_benchmark_attn.json": ("litert", (2069.16, 1557.24, 2202.85, 1516.14, 1940.83, 5, "ms", False)),
    "torch_profiler_trace_head.json": (
        "torch",
        (427.094408, 427.094408, 427.094408, 427.094408, 427.094408, 1, "us", False),
    ),
}
MODELS = {
    "openvino_benchmark_report.json": "res.onnx",
    "openvino_benchmark_report.csv": "res.onnx",
    "litert_benchmark_res.json": "res.tflite",
    "litert_benchmark_attn.json": "attn.tflite",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_sample_holds_the_number_that_a_person_reads_in_it(name):
    importer, (reading,) = read_report(sample(name))
    expected_importer, expected = GOLDEN[name]
    assert importer.name == expected_importer
    assert tuple(asdict(reading)[field] for field in NAMES) == expected
    assert reading.model == MODELS.get(name, "")


def test_samples_say_more_than_times():
    _, (openvino,) = read_report(sample("openvino_benchmark_report.json"))
    assert (openvino.batch, openvino.compute_unit, openvino.std_ms) == (1, "cpu", 0.0)
    _, (litert,) = read_report(sample("litert_benchmark_res.json"))
    assert (litert.compute_unit, litert.std_ms) == ("cpu", 111.98)
    _, (ort,) = read_report(sample("onnxruntime_profile_resnet320.json"))
    assert ort.note == "first of 3 runs left out as cold"


def test_the_annotation_of_a_trace_is_its_key():
    _, (reading,) = read_report(sample("torch_profiler_trace_head.json"))
    assert (reading.key, reading.compute_unit) == ("CrossAttention[0,0]", "cpu")


def test_a_binary_trace_names_the_tool_that_turns_it_into_text():
    with pytest.raises(ReportError, match=r"executorch_res\.etdp: ExecuTorch's binary trace .*Inspector"):
        read_report(sample("executorch_res.etdp"))
