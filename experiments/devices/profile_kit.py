"""Time the model files of a kit as a stranger would: by ONNX Runtime's own profiler, on two threads.

nas latency init search_spaces/shapes/pipeline --out runs/kit --max-copies 0
python -m experiments.devices.profile_kit runs/kit/onnx runs/kit/reports
nas latency import runs/kit/onnx runs/kit/reports/*.json --device-name "this machine, profiled" \
    --runtime-version 1.32.0 --runtime-option threads=2 --out experiments/devices/shapes_cpu_imported.json
"""

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from latency.exporters.extras import load_extra

NUM_RUNS: Final = 15  # the first is cold, and left out by the importer
TYPES: Final = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


def profile(model: Path, /, *, out: Path) -> Path:
    """Run a model file on random inputs and write its profile.

    Args:
        model: ONNX.
        out: Folder of the report, which is called after the model.
    """
    ort = load_extra("onnxruntime", extra="onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    options.enable_profiling = True
    options.profile_file_prefix = str(out / model.stem)
    session: Any = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    inputs = {each.name: rng.normal(size=each.shape).astype(TYPES[each.type]) for each in session.get_inputs()}
    for _ in range(NUM_RUNS):
        session.run(None, inputs)
    return Path(session.end_profiling()).rename(out / f"{model.stem}.json")


def main(kit: Path, out: Path) -> None:
    """Profile every file of a kit."""
    out.mkdir(parents=True, exist_ok=True)
    models = sorted(kit.glob("**/*.onnx"))
    for model in models:
        profile(model, out=out)
    print(f"{len(models)} reports -> {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
