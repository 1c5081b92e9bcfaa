"""Execution: on which device, in which precision and memory format UNet, VAE and CLIP compute.

All of it changes the last bits of a score, so all of it belongs to the protocol. Importing this module does not import
torch, so that a config is quickly read.
"""

import re
import reprlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import FunctionType
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from pydantic import Field, field_validator

from latency.pricing.scenario import Dtype
from nas.settings import settings
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from torch import nn

M = TypeVar("M", bound="nn.Module")
DEVICES: Final = re.compile(r"^(cpu|cuda(:\d+)?)$")


def check_device_name(name: str, /) -> None:
    """Check that a name is one of a kind of device that all of this was made for.

    Raises:
        ValueError: It is not.
    """
    if not DEVICES.match(name):
        why = ": Apple's GPUs are not supported, whose machines search on cpu" if name.startswith("mps") else ""
        raise UserError(f"must be cpu, cuda or cuda:N, but got {reprlib.repr(name)}{why}")


def of_a_known_kind(device: object) -> object:
    """A setting's device, refused in better words than a pattern's where it is text of another kind."""
    if isinstance(device, str):
        check_device_name(device)
    return device


def check_device(device: str, /, *, name: str, num_cuda: int | None = None) -> None:
    """Check that a device is here.

    Args:
        device: Such as "cuda:1".
        name: Of the setting or option that names it, for the message.
        num_cuda: CUDA devices that are here; None = ask torch.

    Raises:
        ValueError: It is not, or is of no kind that is known.
    """
    import torch

    try:
        check_device_name(device)
    except UserError as error:
        raise UserError(f"`{name}` {error}") from None
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return
    num = torch.cuda.device_count() if num_cuda is None else num_cuda
    if not num:
        raise UserError(
            f"`{name}` is {device!r}, but torch {torch.__version__} sees no CUDA device here; "
            "choose cpu, or install torch for CUDA"
        )
    if int(index or 0) >= num:
        raise UserError(f"`{name}` is {device!r}, but there are {num} CUDA devices here, which count from 0")


@settings
class Execution:
    """Where and how UNet, VAE and CLIP compute; part of the protocol."""

    device: Annotated[str, Field(pattern=DEVICES.pattern, description="of whoever scores: cpu, cuda or cuda:1")] = "cpu"
    precision: Annotated[
        Dtype,
        Field(description="of matrix products, by autocast; the UNet's weights stay in float32 for robust training"),
    ] = Dtype.FLOAT32
    channels_last: Annotated[
        bool,
        Field(
            description="store feature maps with their channels together; convolutions on GPUs and some CPUs like it"
        ),
    ] = False
    compile_blocks: Annotated[
        bool,
        Field(
            description="compile each ResNet and transformer layer by itself, once for all architectures; pays on long "
            "searches"
        ),
    ] = False

    _known_kind = field_validator("device", mode="before")(of_a_known_kind)

    def check(self) -> None:
        """Check that the device exists here and computes in the precision.

        Raises:
            ValueError: It does not.
        """
        import torch

        from nas.pipelines.computing.compute_check import check_dtype

        check_device(self.device, name="execution.device")
        if self.precision is not Dtype.FLOAT32:
            check_dtype(getattr(torch, self.precision), device=self.device)

    def place(self, module: M, /) -> M:
        """Bring a module to the device and into the memory format, in place."""
        import torch

        module.to(self.device)
        if self.channels_last:
            module.to(memory_format=torch.channels_last)
        return module

    def compile(self, unet: "nn.Module", /) -> None:
        """Compile the blocks of a UNet in place, if wanted; each costs its time at its first call."""
        from diffusers.models.attention import BasicTransformerBlock
        from diffusers.models.resnet import ResnetBlock2D

        if self.compile_blocks:
            for module in unet.modules():
                if isinstance(module, (ResnetBlock2D, BasicTransformerBlock)):
                    _compile(module)

    def autocast(self) -> AbstractContextManager[object]:
        """What evaluation runs in."""
        import torch

        if self.precision is Dtype.FLOAT32:
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=getattr(torch, self.precision))


def _compile(module: "nn.Module", /) -> None:
    """Do what `module.compile(dynamic=False)` does, for any number of modules of one class.

    Dynamo keeps compiled code by code object and gives up, silently, after eight sets of weights or shapes of one. So
    every module gets a code object of its own.
    """
    import torch

    call = FunctionType(_call.__code__.replace(), globals())
    run: Callable[..., object] = torch.compile(call, dynamic=False)
    module._compiled_call_impl = lambda *args, **kwargs: run(module, args, kwargs)  # copies are born without it


def _call(module: "nn.Module", args: tuple[object, ...], kwargs: dict[str, object]) -> object:
    return module._call_impl(*args, **kwargs)
