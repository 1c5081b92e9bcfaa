"""One scoring of the bundled model, an architecture for each of four runtimes and one for all of them: the matrix.

python -m experiments.devices FOLDER      searches, says the matrix, writes FOLDER/matrix.csv and FOLDER/export
"""

import sys
from pathlib import Path

import pandas as pd

import nas
from nas.export.named import export_named
from nas.scores.intervals import paired_loss
from nas.scores.store import ScoreStore
from nas.sweeps.devices import SCORES, device_runs
from nas.sweeps.matrix import DeviceMatrix


def main(out: Path) -> None:
    """Search for every device, and compare."""
    config = nas.load_config(Path(__file__).with_name("devices.yaml"))
    matrix = nas.open_devices(nas.search_devices(config, out=out))
    shares = matrix.frame("target_share")
    table = matrix.frame().join(shares, rsuffix=", share of target").join(matrix.frame("loss"), rsuffix=", score lost")
    table.to_csv(out / "matrix.csv")
    print(table.round(4).to_string())
    print(f"best for all: {matrix.minimax.architecture.arch_id}, worst share {matrix.minimax.worst_share:.3f}")
    print(paired(matrix, ScoreStore.existing(out / SCORES).frame()).to_string())
    print("one weights file:", export_named(device_runs(out), out=out / "export"))


def paired(matrix: DeviceMatrix, scores: pd.DataFrame, /) -> pd.DataFrame:
    """What each device loses by taking what was found for another, with its interval, caption by caption."""
    by_caption = scores.pivot_table(index=["prompt_id", "noise_seed"], columns="arch_id", values=matrix.score)
    columns = {name: by_caption[each.arch_id].dropna() for name, each in matrix.architectures.items()}
    lost = {
        device: {name: str(paired_loss(columns[device].tolist(), other.tolist())) for name, other in columns.items()}
        for device in matrix.devices
    }
    return pd.DataFrame(lost).rename_axis("score lost with what was found for")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
