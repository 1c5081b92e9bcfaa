"""What a command says of itself, in lines as long as the terminal: typer keeps the line ends of a docstring."""

import inspect
import re


def filled(docstring: str | None, /) -> str | None:
    """A docstring whose paragraphs are lines of their own; what is indented, such as a second example, stays below.

    Args:
        docstring: Of a command; None where it has none.
    """
    if docstring is None:
        return None
    return re.sub(r"(?<=\S)\n(?=\S)", " ", inspect.cleandoc(docstring))
