"""Execution: on which device, in which precision and memory format UNet, VAE and CLIP compute.

All of it changes the last bits of a score, so all of it belongs to the protocol.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from types import FunctionType
from typing import TypeVar

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from nas.pipelines.compute_check import check_dtype

M = TypeVar("M", bound=nn.Module)


class Precision(StrEnum):
    """Floating-point type of the matrix products; weights stay as they are."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How modules run.

    Attributes:
        device: "cpu", "cuda" or "cuda:1".
        precision: Of matrix products, by autocast; the UNet's weights stay in float32 for robust training.
        channels_last: Store feature maps with their channels together; convolutions on GPUs and some CPUs like it.
        compile_blocks: Compile each ResNet and transformer layer by itself. An architecture is then put together from
            compiled blocks, where a compiled UNet would have to be compiled again for every architecture.
    """

    device: str = "cpu"
    precision: Precision = Precision.FLOAT32
    channels_last: bool = False
    compile_blocks: bool = False

    def check(self) -> None:
        """Check that the device exists here and computes in the precision.

        Raises:
            ValueError: It does not.
        """
        if torch.device(self.device).type == "cuda" and not torch.cuda.is_available():
            raise ValueError(
                f"`execution.device` is {self.device!r}, but torch {torch.__version__} sees no CUDA device here; "
                "choose cpu, or install torch for CUDA"
            )
        if self.precision is not Precision.FLOAT32:
            check_dtype(getattr(torch, self.precision), device=self.device)

    def place(self, module: M, /) -> M:
        """Bring a module to the device and into the memory format, in place."""
        module.to(self.device)
        if self.channels_last:
            module.to(memory_format=torch.channels_last)
        return module

    def compile(self, unet: nn.Module, /) -> None:
        """Compile the blocks of a UNet in place, if wanted; each costs its time at its first call."""
        if self.compile_blocks:
            for module in unet.modules():
                if isinstance(module, (ResnetBlock2D, BasicTransformerBlock)):
                    _compile(module)

    def autocast(self) -> AbstractContextManager[object]:
        """What evaluation runs in."""
        if self.precision is Precision.FLOAT32:
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=getattr(torch, self.precision))


def _compile(module: nn.Module, /) -> None:
    """Do what `module.compile(dynamic=False)` does, for any number of modules of one class.

    Dynamo keeps compiled code by code object and gives up, silently, after eight sets of weights or shapes of one. So
    every module gets a code object of its own.
    """
    call = FunctionType(_call.__code__.replace(), globals())
    run: Callable[..., object] = torch.compile(call, dynamic=False)
    module._compiled_call_impl = lambda *args, **kwargs: run(module, args, kwargs)  # copies are born without it


def _call(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
    return module._call_impl(*args, **kwargs)
