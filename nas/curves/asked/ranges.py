"""Lists of numbers as a person writes them: "1,2,3.5" and "1:10.5:0.5", whose end belongs to it."""

from decimal import Decimal, InvalidOperation
from typing import Final

from search_spaces.files.user_error import UserError

MOST: Final = 200  # numbers; more is a slip of the hand


def numbers(text: str, /, *, name: str) -> tuple[float, ...]:
    """Numbers in a text, in its order, each once.

    Args:
        text: Numbers and ranges START:END:STEP, with commas between them.
        name: Of the option, for the error's message.

    Raises:
        UserError: It is something else.
    """
    found = list[Decimal]()
    for part in text.split(","):
        found += _numbers_in(part.strip(), name)
    if len(found) > MOST:
        raise UserError(f"`{name}` must give at most {MOST} numbers, but {text!r} gives {len(found)}; take wider steps")
    return tuple(float(number) for number in dict.fromkeys(found))


def whole_numbers(text: str, /, *, name: str) -> tuple[int, ...]:
    """The same for counts.

    Raises:
        UserError: There is another number among them.
    """
    found = numbers(text, name=name)
    if broken := [number for number in found if not number.is_integer()]:
        raise UserError(f"`{name}` must give whole numbers, but {text!r} gives {broken[0]:g}; such as 8,50")
    return tuple(int(number) for number in found)


def _numbers_in(part: str, name: str) -> list[Decimal]:
    try:
        ends = [Decimal(end) for end in part.split(":")]
        if not all(end.is_finite() for end in ends):
            raise InvalidOperation
    except InvalidOperation:
        ends = []
    match ends:
        case [number]:
            return [number]
        case [start, end, step] if step > 0 and end >= start and (end - start) / step <= MOST:
            return [start + step * index for index in range(int((end - start) / step) + 1)]
    raise UserError(
        f"`{name}` must be numbers such as 1,2.5 or a range START:END:STEP that rises, such as 1:10.5:0.5, "
        f"but has {part!r}"
    )
