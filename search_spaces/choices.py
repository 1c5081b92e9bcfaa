"""Words that stand for a choice, as users write them from Python: a member of an enum, or an error with all of them."""

from enum import StrEnum
from typing import TypeVar

from search_spaces.files.user_error import UserError

E = TypeVar("E", bound=StrEnum)


def chosen(kind: type[E], value: str, /, *, name: str) -> E:
    """The member of an enum that a word stands for.

    Args:
        kind: The enum.
        value: A member or its word.
        name: Of the argument, for the message.

    Raises:
        ValueError: No such word.
    """
    try:
        return kind(value)
    except ValueError:
        raise UserError(f"`{name}` must be one of {', '.join(kind)}, but got {value!r}") from None
