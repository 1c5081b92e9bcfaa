"""Whether a device computes in a type of numbers: asked of the device itself, by the operations that pictures need."""

from collections.abc import Callable
from typing import Final

import torch
from torch.nn import functional as F

from search_spaces.files.user_error import UserError


def check_dtype(dtype: torch.dtype, /, *, device: str) -> None:
    """Check that a device runs convolutions, products, norms and attention in a type.

    Args:
        dtype: Of weights and activations.
        device: "cpu", "cuda" or "cuda:1".

    Raises:
        ValueError: There is no such device here, or it lacks the type; the message names the operations.
    """
    where = torch.device(device)
    if where.type == "cuda" and not torch.cuda.is_available():
        raise UserError(
            f"the device is {device!r}, but torch {torch.__version__} sees no CUDA device here; choose cpu, or install "
            "torch for CUDA"
        )
    lacking = []
    for name, operation in _OPERATIONS.items():
        try:
            operation(torch.zeros(1, 4, 4, 4, device=where).to(dtype))
        except (RuntimeError, NotImplementedError):  # torch has no kernel
            lacking.append(name)
    if lacking:
        short = str(dtype).removeprefix("torch.")
        raise UserError(
            f"the type of numbers must be one that the device computes in, but torch {torch.__version__} has no "
            f"{', '.join(lacking)} in {short} on {device}; choose float32, or another device"
        )


_OPERATIONS: Final[dict[str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "convolution": lambda x: F.conv2d(x, x, padding=1),
    "matrix product": lambda x: F.linear(x, x[0, 0]),
    "group norm": lambda x: F.group_norm(x, 2),
    "layer norm": lambda x: F.layer_norm(x, (4,)),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "gelu": F.gelu,
}
