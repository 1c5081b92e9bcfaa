r"""Reports of ExecuTorch's own profiler on every file of a kit: what `nas latency import` makes a table of.

    nas latency init shapes --out runs/kit --formats executorch --attention eager --max-copies 1 --subnetworks 3
    chrt --fifo 1 python -m experiments.devices.executorch_reports runs/kit/executorch runs/reports
    nas latency import runs/kit/executorch runs/reports/*.tsv --out shapes_cpu_executorch_imported.json \
        --device-name "two shared cores of an AMD EPYC" --soc "AMD EPYC" --compute-unit cpu --os "Linux x86_64" \
        --runtime-name executorch --runtime-version 1.5.1 --runtime-option threads=1

Each file is loaded once with ETDump and runs once in every round, in random order, on one thread; the Inspector's table
of a file is its report. ExecuTorch with its XNNPACK delegate is what runs on Android phones; here it runs on the CPU at
hand. Its profiler tells wall time: on a busy machine let nothing run in between (`chrt`, which asks for root).

It needs `pip install 'snapfusion-nas[executorch]'`. Cost: ten minutes of one core, nearly all of it `init`.
"""

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from rich.progress import track

from latency.exporters.extras import load_extra
from latency.exporters.quiet import quiet
from latency.kits.manifest_file import read_manifest

ROUNDS: Final = 60
SEED: Final = 0
WHOLE_NUMBERS: Final = 4  # ExecuTorch's code of int64
TIME_STEP: Final = 500


def main(kit: Path, reports: Path, /) -> None:
    """Time every file of a kit."""
    files = [entry.file for entry in read_manifest(kit).entries]
    with quiet():
        runtime = load_extra("executorch.runtime", extra="executorch").Runtime.get()
        inspector = load_extra("executorch.devtools", extra="executorch").Inspector
        bindings = load_extra("executorch.extension.pybindings.portable_lib", extra="executorch")
        bindings._unsafe_reset_threadpool(1)
    torch.set_num_threads(1)
    programs = {file: runtime.load_program(kit / file, enable_etdump=True) for file in files}
    methods = {file: program.load_method("forward") for file, program in programs.items()}
    inputs = {file: _inputs(method) for file, method in methods.items()}
    rng = np.random.default_rng(SEED)
    for _ in track(range(ROUNDS), description=f"{len(files)} files"):
        for file in rng.permutation(files):
            methods[file].execute(inputs[file])
    reports.mkdir(parents=True, exist_ok=True)
    for file, program in programs.items():
        trace = reports / f"{Path(file).stem}.etdp"
        program.write_etdump_result_to_file(str(trace), str(trace.with_suffix(".bin")))
        with quiet():
            table = inspector(etdump_path=str(trace)).to_dataframe()
        table.to_csv(trace.with_suffix(".tsv"), sep="\t", index=False)


def _inputs(method: Any) -> list[torch.Tensor]:
    """Normal numbers of the shapes that a method takes; a time step where it takes whole numbers."""
    generator, metadata = torch.Generator().manual_seed(SEED), method.metadata
    taken = [metadata.input_tensor_meta(index) for index in range(metadata.num_inputs())]
    return [
        torch.full(each.sizes(), TIME_STEP)
        if each.dtype() == WHOLE_NUMBERS
        else torch.randn(each.sizes(), generator=generator)
        for each in taken
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
