"""The tables of the matrix are of the same work, and what is lost between devices is paired by caption."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from experiments.devices.__main__ import paired
from latency.documents.store import read_table
from nas.config.loading import load_config

CONFIG = Path(__file__).parents[2] / "experiments" / "devices" / "devices.yaml"


@pytest.mark.filterwarnings("ignore:.*openvino.json. blocks should sum to")
def test_the_tables_of_the_matrix_price_the_same_blocks_at_the_same_work() -> None:
    config = load_config(CONFIG)
    tables = [read_table(Path(path)) for path in (str(config.latency_table), *config.search.devices)]
    assert [each.runtime.name for each in tables] == ["torch-eager", "onnxruntime", "openvino", "executorch"]
    assert [each.protocol.importer for each in tables] == ["", "", "", "executorch"]
    works = {replace(each.workload, attention_impl="any", base_model="any") for each in tables}
    assert len(works) == 1
    assert config.search.max_copies == 0
    blocks = [{row.signature for row in each.rows if row.signature.layers <= 1} for each in tables]
    assert all(each == blocks[0] for each in blocks)


def test_what_is_lost_is_paired_by_caption() -> None:
    architectures = {"a": SimpleNamespace(arch_id="x"), "b": SimpleNamespace(arch_id="y")}
    scores = pd.DataFrame(
        {
            "arch_id": ["x", "x", "y", "y"],
            "prompt_id": ["one", "two", "two", "one"],
            "noise_seed": [1, 2, 2, 1],
            "clip": [0.5, 0.9, 0.8, 0.4],
        }
    )
    matrix: Any = SimpleNamespace(score="clip", devices=("a", "b"), architectures=architectures)
    told = paired(matrix, scores)
    assert told.loc["b", "a"] == "+0.1000 [+0.1000, +0.1000]", "each caption loses as much, however unlike they are"
    assert told.loc["a", "b"] == "-0.1000 [-0.1000, -0.1000]"
    assert told.loc["a", "a"] == "+0.0000 [+0.0000, +0.0000]"
