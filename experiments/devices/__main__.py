"""Four architectures from one scoring of the bundled model, each on three runtimes of one machine: the matrix.

python -m experiments.devices FOLDER      searches, says the matrix, writes FOLDER/matrix.csv and FOLDER/export
"""

import sys
from pathlib import Path

import nas
from nas.export.named import export_named
from nas.sweeps.devices import device_runs


def main(out: Path) -> None:
    """Search for every device, and compare."""
    config = nas.load_config(Path(__file__).with_name("devices.yaml"))
    matrix = nas.open_devices(nas.search_devices(config, out=out))
    shares = matrix.frame("target_share")
    table = matrix.frame().join(shares, rsuffix=", share of target").join(matrix.frame("loss"), rsuffix=", score lost")
    table.to_csv(out / "matrix.csv")
    print(table.round(4).to_string())
    print(f"best for all: {matrix.minimax.architecture.arch_id}, worst share {matrix.minimax.worst_share:.3f}")
    print("one weights file:", export_named(device_runs(out), out=out / "export"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
