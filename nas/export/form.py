"""The forms of an export; importing them does not import torch."""

from enum import StrEnum


class ExportForm(StrEnum):
    """How an architecture leaves the project."""

    SPEC = "spec"
    DIFFUSERS = "diffusers"
    NEUTRAL = "diffusers-neutral"
    ONNX = "onnx"
    EXECUTORCH = "executorch"
    COREML = "coreml"

    @property
    def is_folder_of_diffusers(self) -> bool:
        """Whether it is a pipeline folder."""
        return self in (ExportForm.DIFFUSERS, ExportForm.NEUTRAL)
