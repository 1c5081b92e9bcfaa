"""Reports for tests: the samples, and small ones of formats that have no sample, written by hand from their layout."""

import json
from pathlib import Path

from latency.importers import Report

SAMPLES = Path(__file__).parents[1] / "samples"

TFLITE_LOG = """\
STARTING!
Log parameter values verbosely: [0]
Graph: [/data/local/tmp/resnet_320.tflite]
INFO: Initialized session in 52.687ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=35 first=19105 curr=13909 min=13585 max=19105 avg=14452.5 std=1240

INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=70 first=14941 curr=14066 min=13728 max=16145 avg=14290.9 std=452

INFO: Inference timings in us: Init: 52687, First inference: 19105, Warmup (avg): 14452.5, Inference (avg): 14290.9
INFO: Memory footprint delta from the start of the tool (MB): init=21.9492 overall=34.5234
"""
TFLITE_CSV = """\
Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
node type, first, avg_ms, %, cdf%, mem KB, times called, name
AllocateTensors, 0.147, 0.147, 100%, 100%, 0, 1, AllocateTensors/0

Timings (microseconds): count=1 curr=147
Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
node type, first, avg_ms, %, cdf%, mem KB, times called, name
CONV_2D, 4.269, 4.3, 60%, 60%, 0, 1, [conv1]:0
CONV_2D, 2.1, 2.9, 40%, 100%, 0, 1, [conv2]:1

Timings (microseconds): count=50 first=7287 curr=7567 min=7198 max=8864 avg=7294.03 std=149
Memory (bytes): count=0
"""


def sample(name: str) -> Report:
    return Report(name=name, data=(SAMPLES / name).read_bytes())


def text(name: str, content: str) -> Report:
    return Report(name=name, data=content.encode())


def document(name: str, content: object) -> Report:
    return text(name, json.dumps(content))


def ai_hub(times=(1995, 350, 321, 281), **summary) -> Report:
    content = {
        "execution_summary": {"estimated_inference_time": 281, "all_inference_times": list(times)} | summary,
        "execution_detail": [
            {"name": "Conv", "type": "Conv", "compute_unit": "NPU", "execution_time": 200},
            {"name": "Add", "type": "Add", "compute_unit": "CPU", "execution_time": 90},
        ],
    }
    return document("resnet_320.json", content)


def tensorrt(times=(4.0, 4.2, 4.1)) -> Report:
    keys = ("startEnqMs", "endEnqMs", "startComputeMs", "endComputeMs", "h2dMs", "d2hMs")
    queries = [dict.fromkeys(keys, 1.0) | {"computeMs": time, "latencyMs": time + 2} for time in times]
    return document("resnet_320.json", queries)


def measurement(*samples: float) -> dict[str, object]:
    middle = sorted(samples)[len(samples) // 2]
    statistics = {"minimum": min(samples), "maximum": max(samples), "average": 2.0, "std_dev": 0.1, "median": middle}
    return {"statistics": statistics, "samples": list(samples)}


def every_format() -> dict[str, list[Report]]:
    """Good reports of every importer, by its name."""
    names = sorted(path.name for path in SAMPLES.iterdir())
    starts = {
        "onnxruntime": "onnxruntime", "openvino": "openvino_benchmark_report",
        "openvino-counters": "openvino_benchmark_detailed", "executorch": "executorch_inspector",
        "litert": "litert", "torch": "torch",
    }  # fmt: skip
    reports = {name: [sample(n) for n in names if n.startswith(start)] for name, start in starts.items()}
    return reports | {
        "tflite": [text("resnet_320.log", TFLITE_LOG), text("resnet_320.csv", TFLITE_CSV)],
        "ai-hub": [ai_hub()],
        "tensorrt": [tensorrt()],
        "coreml": [
            document("resnet_320.json", measurement(2.0, 2.1, 1.9)),
            document("parts.json", [{"name": "a", "measurement": measurement(1.0)}]),
        ],
        "csv": [text("results.csv", "file,median_ms,p10_ms,p90_ms\na.onnx,2.5,2,3\nb.onnx,1,,\n")],
    }
