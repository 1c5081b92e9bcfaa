"""Numbers that are not finite, found where they arise: by stage and, where weights hold them, by tensor."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from search_spaces.files.user_error import UserError


class NotFiniteError(UserError):
    """A model that gives numbers which are not finite; the message names the stage, and the weights if these do."""


def broken_weights(module: torch.nn.Module, /) -> list[str]:
    """Names of a module's weights and buffers that hold numbers which are not finite."""
    return [
        name
        for name, weight in (*module.named_parameters(), *module.named_buffers())
        if weight.is_floating_point() and not torch.isfinite(weight).all()
    ]


def cause_in_weights(modules: Mapping[str, torch.nn.Module], /) -> str | None:
    """Which of some modules, by name, have broken weights, in words; None when none has."""
    for name, module in modules.items():
        if broken := broken_weights(module):
            return (
                f"the weights of the {name} hold numbers that are not finite ({len(broken)} tensors, such as "
                f"{broken[0]}); restore them from where they came"
            )
    return None


@contextmanager
def finite_outputs(modules: Mapping[str, torch.nn.Module], /) -> Iterator[None]:
    """Check whatever some modules, by name, give within a `with` block.

    Raises:
        NotFiniteError: Not all of it is finite.
    """

    def checked(name: str) -> Any:
        def check(module: torch.nn.Module, inputs: Any, output: Any) -> None:
            if all(torch.isfinite(part).all() for part in _tensors(output)):
                return
            cause = cause_in_weights({name: module}) or "it overflows: choose a wider dtype, such as float32"
            raise NotFiniteError(f"what the {name} gives must be finite, but is not; {cause}")

        return check

    with ExitStack() as hooks:
        for name, module in modules.items():
            hooks.enter_context(module.register_forward_hook(checked(name)))
        yield


def _tensors(output: Any) -> Iterator[Tensor]:
    """The tensors of numbers in what a module gives."""
    match output:
        case Tensor():
            if output.is_floating_point():
                yield output
        case Mapping():
            for part in output.values():
                yield from _tensors(part)
        case tuple() | list():
            for part in output:
                yield from _tensors(part)
