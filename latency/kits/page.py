"""The page of a device kit: what is in it, what to run on the device with each tool, and how to import the results."""

from typing import Final

from latency.exporters.formats import ModelFormat
from latency.kits.manifest import Manifest
from latency.kits.manifest_file import MANIFEST_NAME

SCRIPT_NAME: Final = "run_onnxruntime.py"
# Copied to devices: plain Python that knows nothing of this project. Every round visits every file in random order, so
# that all see the same moods. Sessions stay as long as they fit: a short block that is called over and over finds its
# weights in the caches as it never does inside a forward pass.
SCRIPT: Final = '''\
"""Time every file that results.csv lists with ONNX Runtime, and fill it in. Needs: pip install numpy onnxruntime"""

import csv, pathlib, random, statistics, time

import numpy as np
import onnxruntime as ort

PROVIDER, THREADS, ROUNDS, WARM_UPS = "CPUExecutionProvider", 1, 20, 2
CLOCK = time.process_time  # CPU time, for one thread on a busy machine; else time.perf_counter
KEEP_GB = 4  # model files are loaded once if all of them are smaller than this, else one after the other, every round
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64}

here, options, loaded = pathlib.Path(__file__).parent, ort.SessionOptions(), {}
options.intra_op_num_threads = THREADS
with open(here / "results.csv", newline="") as table:
    times = {row["file"]: [] for row in csv.DictReader(table)}
keep = sum(path.stat().st_size for path in here.rglob("*")) < KEEP_GB * 1e9
for number in range(ROUNDS):
    print(f"round {number + 1} of {ROUNDS}", flush=True)
    for file in random.sample(list(times), len(times)):
        if is_new := file not in loaded:
            session = ort.InferenceSession(here / file, options, providers=[PROVIDER])
            feeds = {i.name: np.random.randn(*i.shape).astype(TYPES[i.type]) for i in session.get_inputs()}
            loaded[file] = session, feeds
        session, feeds = loaded[file] if keep else loaded.pop(file)
        for _ in range(WARM_UPS * is_new + 1):
            start = CLOCK()
            session.run(None, feeds)
            seconds = CLOCK() - start
        times[file].append(1000 * seconds)
with open(here / "results.csv", "w", newline="") as table:
    lines = csv.writer(table)
    lines.writerow(["file", "median_ms", "p10_ms", "p90_ms", "num_samples"])
    for file, ms in times.items():
        deciles = statistics.quantiles(ms, n=10, method="inclusive")
        lines.writerow([file, statistics.median(ms), deciles[0], deciles[-1], len(ms)])
'''
_ONNX: Final = f"""\
**ONNX Runtime**, on anything with Python. `{SCRIPT_NAME}` needs nothing but numpy and onnxruntime; its first lines
choose execution provider, threads and clock. It fills in `results.csv`.

    python {SCRIPT_NAME}
    {{import}} --runtime-name onnxruntime

**OpenVINO** (`pip install openvino`), on an Intel CPU, GPU or NPU (`-d GPU`):

    for file in blocks/*.onnx whole/*.onnx; do
      name=$(basename "$file" .onnx); mkdir -p "reports/$name"
      benchmark_app -m "$file" -d CPU -api sync -niter 20 -infer_precision f32 -json_stats \\
        -report_type no_counters -report_folder "reports/$name"
    done
    {{import}} reports/*/benchmark_report.json

**TensorRT**, on an Nvidia GPU:

    mkdir -p reports
    for file in blocks/*.onnx whole/*.onnx; do
      trtexec --onnx="$file" --exportTimes="reports/$(basename "$file" .onnx).json"
    done
    {{import}} reports/*.json

**Qualcomm AI Hub** (`pip install qai-hub`), on a hosted phone. Files of more than 2 GB (the whole models of large
UNets) are an ONNX file and its weights: upload them together, as the service's documentation says.

    import json, pathlib, qai_hub as hub
    device = hub.Device("Samsung Galaxy S24")
    pathlib.Path("reports").mkdir(exist_ok=True)
    for file in sorted(pathlib.Path().glob("*/*.onnx")):
        model = hub.submit_compile_job(model=str(file), device=device).get_target_model()
        profile = hub.submit_profile_job(model=model, device=device).download_profile()
        pathlib.Path("reports", file.stem + ".json").write_text(json.dumps(profile))

    {{import}} reports/*.json
"""
_EXECUTORCH: Final = """\
**ExecuTorch's runtime** (`pip install executorch`), on a computer:

    import pathlib, torch
    from executorch.devtools import Inspector
    from executorch.runtime import Runtime
    pathlib.Path("reports").mkdir(exist_ok=True)
    for file in sorted(pathlib.Path().glob("*/*.pte")):
        program = Runtime.get().load_program(file, enable_etdump=True)
        method = program.load_method("forward")
        meta = method.metadata
        shapes = [meta.input_tensor_meta(i) for i in range(meta.num_inputs())]
        inputs = [torch.zeros(s.sizes(), dtype=torch.int64 if s.dtype() == 4 else torch.float32) for s in shapes]
        for _ in range(20):
            method.execute(inputs)
        trace = f"reports/{file.stem}.etdp"
        program.write_etdump_result_to_file(trace, f"reports/{file.stem}.bin")
        Inspector(etdump_path=trace).to_dataframe().to_csv(f"reports/{file.stem}.tsv", sep="\\t")

    {import} reports/*.tsv

**On a phone**, with ExecuTorch's `executor_runner` built for it with event tracing: run every file with
`--model_path FILE.pte --num_executions 20 --etdump_path FILE.etdp`, fetch the traces, and let the `Inspector` above
turn them into tables.
"""
_COREML: Final = """\
**coremltools' benchmarker** (`pip install coremltools`), on a Mac or a device connected to it:

    import asyncio, dataclasses, json, pathlib
    import coremltools as ct
    from coremltools.models.ml_program.experimental.perf_utils import MLModelBenchmarker
    pathlib.Path("reports").mkdir(exist_ok=True)
    for file in sorted(pathlib.Path().glob("*/*.mlpackage")):
        model = ct.models.MLModel(str(file), compute_units=ct.ComputeUnit.CPU_AND_NE)
        measurement = asyncio.run(MLModelBenchmarker(model).benchmark_predict(iterations=20, warmup=True))
        pathlib.Path("reports", file.stem + ".json").write_text(json.dumps(dataclasses.asdict(measurement)))

    {import} reports/*.json --runtime-name coreml

**Xcode**: open a package, make a performance report on the device, and write its median into `results.csv`.
"""
_LITERT: Final = """\
**LiteRT's benchmark** on an Android phone, with the `benchmark_model` program of LiteRT pushed to it:

    mkdir -p reports
    for file in blocks/*.tflite whole/*.tflite; do
      adb push "$file" /data/local/tmp/model.tflite
      adb shell /data/local/tmp/benchmark_model --graph=/data/local/tmp/model.tflite --num_threads=4 \\
        > "reports/$(basename "$file" .tflite).log"
    done
    {import} reports/*.log

**On a computer**, `litert-benchmark --result_json reports/NAME.json` with each file does the same.
"""
_TOOLS: Final = {
    ModelFormat.ONNX: _ONNX,
    ModelFormat.EXECUTORCH: _EXECUTORCH,
    ModelFormat.COREML: _COREML,
    ModelFormat.LITERT: _LITERT,
}


TITLE: Final = "# Latency of "


def page(manifest: Manifest, /) -> str:
    """The page, in Markdown."""
    w = manifest.workload
    command = 'nas latency import . --out TABLE.json --device-name "MY DEVICE" --runtime-version VERSION'
    tools = _TOOLS[manifest.format].replace("{import}", command)
    return f"""\
{TITLE}{w.base_model}'s blocks on your device

{len(manifest.blocks)} files in `blocks`, one for every block that an architecture search can ask for (up to \
{manifest.space.max_copies} copies of each: `search.max_copies_per_block`), and \
{len(manifest.whole_models)} in `whole`:
the base model{_subnetworks(manifest)}.
{_empty(manifest)}Each computes one forward pass at batch {w.batch} on {w.latent_height}x{w.latent_width} latents with \
{w.context_tokens} text tokens, in {w.dtype}, with {w.attention_impl}.
`{MANIFEST_NAME}` says which file is which block. Weights do not matter for time; those in the files may be random.

1. Copy this folder to the device, or to a computer that reaches it.
2. Time every file with **one** tool, in one go, on a device that does nothing else and does not get hot: first a few
   runs to warm up, then at least ten. One number per file is needed, the median of whole runs. Do not sum layers.
   Best is to visit all files in turn, round after round: small blocks that are called over and over find their weights
   in the caches as they never do inside a model, and sum to less than the whole.
3. Import the reports. `import` matches them by name, checks batch and precision where a report states them, compares
   the blocks' sum with the base model, and says everything that is missing or wrong at once.

## What to run

{tools}
**Anything else**: write each file's median into `results.csv` (milliseconds), and import it:

    {command} --runtime-name NAME

Then look at the table, and use it in a search:

    nas latency validate TABLE.json
    nas latency show TABLE.json

The script for ONNX Runtime is run by this project's tests. The other commands follow the tools' documentation.
"""


def _empty(manifest: Manifest) -> str:
    if manifest.empty is None:
        return ""
    return (
        f"`{manifest.empty.file}` does next to nothing: what it takes is what entering the runtime takes, and is "
        "subtracted\nfrom every block.\n"
    )


def _subnetworks(manifest: Manifest) -> str:
    match len(manifest.whole_models) - 1:
        case 0:
            return ""
        case 1:
            return ", and a random sub-network of it, which shows how well sums of blocks predict"
        case num:
            return f", and {num} random sub-networks of it, which show how well sums of blocks predict"
