"""Axes of tensors checked while tests run: what jaxtyping calls for every function of the modules that it instruments.

Tensors alone are checked. A general checker of types refuses what our own laws should refuse, with their own messages,
and what tests hand in as stand-ins.
"""

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from types import UnionType
from typing import Any, Final, ParamSpec, TypeVar, Union, get_args, get_origin

from jaxtyping import AbstractArray, install_import_hook

P = ParamSpec("P")
R = TypeVar("R")

# Not `nas.pipelines.conditioning`, whose value says itself which lengths must agree; and no module of blocks, since
# exporters and compilers look into their `forward`.
CHECKED: Final = (
    *("nas.pipelines.autoencoder", "nas.pipelines.folder", "nas.pipelines.sampling", "nas.pipelines.text_encoders"),
    *("nas.training.captioned_pictures", "nas.training.latent_set", "nas.pipelines.noise_schedule"),
    *("nas.training.data.cached_set", "nas.training.data.encoding", "nas.training.data.shards"),
    *("nas.training.step", "nas.workers.worker"),
    *("nas.evaluation.clip.judge", "nas.evaluation.clip.model", "nas.evaluation.clip.text_features"),
    *("nas.evaluation.evaluator", "nas.evaluation.output_change", "nas.evaluation.pictures", "nas.evaluation.setting"),
)


def instrument() -> None:
    """Check the modules above, none of which may have been imported yet."""
    assert not (early := sorted(sys.modules.keys() & {*CHECKED})), f"{early} would go unchecked"
    install_import_hook(CHECKED, f"{__name__}.checked")


def checked(function: Callable[P, R], /) -> Callable[P, R]:
    """A function that compares the tensors of its arguments and of its result with their annotations.

    Args:
        function: Of jaxtyping's making: it has the signature of the real one, and does nothing.

    Raises:
        TypeError: One has other axes; jaxtyping, which binds their names to sizes, says which.
    """
    signature = inspect.signature(function)
    hints = {name: own.annotation for name, own in signature.parameters.items() if _has_axes(own.annotation)}
    promised = signature.return_annotation if _has_axes(signature.return_annotation) else object

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        arguments = signature.bind(*args, **kwargs).arguments
        result = function(*args, **kwargs)
        pairs = [(arguments[name], hints[name]) for name in hints if name in arguments]
        if wrong := [hint for value, hint in (*pairs, (result, promised)) if not _fits(value, hint)]:
            raise TypeError(f"a tensor must be {wrong[0]}, but is not")
        return result

    return call


def _has_axes(hint: object) -> bool:
    """Whether a type is an annotated tensor, or a union or tuple with one."""
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return get_origin(hint) in (tuple, Union, UnionType) and any(map(_has_axes, get_args(hint)))


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of a type, as far as types of tensors ask for it."""
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(map(_fits, value, get_args(hint)))
    return not isinstance(hint, type) or isinstance(value, hint)
