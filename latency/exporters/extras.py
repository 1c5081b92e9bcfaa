"""Optional packages: which extra of this distribution brings them, said when they are missing."""

from importlib import import_module
from typing import Any, Final

from search_spaces.files.user_error import UserError

DISTRIBUTION: Final = "snapfusion-nas"


class MissingExtraError(UserError):
    """A package that an optional extra brings is not installed, or does not load."""


def load_extra(module: str, /, *, extra: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: Such as "onnxruntime".
        extra: The extra of this distribution that installs it.

    Raises:
        MissingExtraError: It cannot be imported; the message names the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"`{module}` must be importable, but it is not ({error}); pip install '{DISTRIBUTION}[{extra}]'"
        ) from error
