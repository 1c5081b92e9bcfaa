"""The tables that come with the package: sound, calibrated, and for the models that they say."""

from pathlib import Path

import pytest

import latency
from latency import read_table
from latency.trust.calibration import distrust
from latency.trust.validation import Level, validate
from search_spaces import space_from_config
from search_spaces.folders.loading import read_unet_config
from search_spaces.known.architectures import BASE_CONFIGS
from search_spaces.shapes import PIPELINE_DIR

TABLES = sorted((Path(latency.__file__).parent / "tables").glob("*.json"))
CONFIGS = {"shapes": read_unet_config(PIPELINE_DIR), **BASE_CONFIGS}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_shipped_table_is_sound_and_to_be_trusted(path: Path) -> None:
    table = read_table(path)
    space = space_from_config(CONFIGS[table.workload.base_model], max_copies=0)
    findings = validate(path.read_bytes(), space=space).findings
    assert [finding for finding in findings if finding.level is not Level.INFORMATION] == []
    assert distrust(table) is None
    assert table.check is not None
    assert table.check.num_subnetworks >= 3


def test_there_are_tables_of_both_models() -> None:
    assert {read_table(path).workload.base_model for path in TABLES} == {"shapes", "sd-1.5"}
