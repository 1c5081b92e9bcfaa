"""What exports to ONNX share: onnxscript's operators are read once, and torch is left as it was."""

import sys
from types import ModuleType
from typing import Any

import pytest

from latency.exporters import to_onnx

LAZY = "torch.onnx._internal._lazy_import"


def test_operators_are_read_once_and_torch_is_left_as_it_was() -> None:
    pytest.importorskip("onnxscript")
    apis: Any = pytest.importorskip(LAZY).onnxscript_apis
    read = apis.get_torchlib_ops
    found = []
    for _ in range(2):
        with to_onnx._operators_read_once():
            found.append(apis.get_torchlib_ops())
        assert apis.get_torchlib_ops is read
    assert len(found[0]) > 100
    assert found[0] is found[1]


def test_a_torch_without_that_place_exports_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, LAZY, ModuleType(LAZY))
    with to_onnx._operators_read_once():
        assert not hasattr(sys.modules[LAZY], "onnxscript_apis")
