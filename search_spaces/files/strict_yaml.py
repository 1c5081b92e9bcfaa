"""Strict YAML: a mapping of plain values by the rules of YAML 1.2, every problem with its file and place.

PyYAML follows YAML 1.1, where `1:30` is 90, `010` is 8, `1e-4` is text, `no` is false and the later of two equal keys
wins without a word. Here numbers and words mean what YAML 1.2's core schema says, a key that is given twice is refused,
tags make no objects, and size, depth and what aliases expand to are bounded. What `dumped` writes, either reads.
"""

import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from search_spaces.files.strict_text import TextError, read_text
from search_spaces.files.user_error import UserError

MAX_BYTES: Final = 2**18  # a hundred times the longest config of ours; PyYAML reads so much in two seconds
MAX_VALUES: Final = 20_000  # aliases expanded
MAX_DEPTH: Final = 32
MAX_PROBLEMS: Final = 30  # as many as a person reads
MAX_DIGITS: Final = 300  # more than any number that a float can hold

_TAG: Final = "tag:yaml.org,2002:"
# YAML 1.2.2, section 10.3.2, "Tag Resolution"; what none of them matches is text.
_SCALARS: Final = (
    ("null", re.compile(r"|~|null|Null|NULL")),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")),
    ("float", re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")),
)
_UNSPEAKABLE: Final = re.compile("[\0\ud800-\udfff]")  # no path and no caption can hold them


class YamlError(UserError):
    """YAML that cannot be read; the message names the file and every place."""


def read_yaml(path: Path, /) -> dict[str, Any]:
    """The mapping in a YAML file, in UTF-8, or as its byte order mark says.

    Raises:
        YamlError: It cannot be read, or holds something else.
    """
    try:
        text = read_text(path, max_bytes=MAX_BYTES)
    except TextError as error:
        raise YamlError(str(error)) from error
    return mapping_of(text, name=str(path))


def mapping_of(text: str, /, *, name: str) -> dict[str, Any]:
    """The mapping that a YAML text stands for.

    Args:
        text: The document.
        name: Of the file, for messages.

    Raises:
        YamlError: It cannot be read, or holds something else.
    """
    values = parse_yaml(text, name=name)
    if not isinstance(values, dict):
        raise YamlError(f"{name} must hold a mapping of settings, but holds {type(values).__name__}")
    return values


def parse_yaml(text: str, /, *, name: str) -> Any:
    """The plain value that a YAML text stands for.

    Args:
        text: One document.
        name: Of the text, for the error's message.

    Raises:
        YamlError: It cannot be read.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{_place(mark)}: " if mark is not None else ""
        problem = ", ".join(filter(None, (error.context, error.problem)))
        raise YamlError(
            f"{name} is not YAML: {place}{problem}; close there what is open, or put text with such signs in quotes"
        ) from None
    except _TooDeepError:
        raise YamlError(f"{name} must be nested at most {MAX_DEPTH} deep, but is deeper") from None
    except yaml.YAMLError as error:  # a character that YAML has no place for
        raise YamlError(f"{name} is not YAML: {error}") from None
    if node is None:
        return None
    reading = _Reading(name)
    reading.check_size(node)
    value = reading.value(node)
    if reading.wrong:
        num = len(reading.wrong)
        raise YamlError("\n".join([f"{name} has {num} problem{'s'[: num > 1]}:", *reading.wrong[:MAX_PROBLEMS]]))
    return value


def dumped(values: Mapping[str, Any], /) -> str:
    """Plain values as YAML 1.1 and 1.2 alike, in their own order."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False)


class _TooDeepError(yaml.YAMLError):
    """Nested deeper than `MAX_DEPTH`."""


class _Loader(yaml.SafeLoader):
    """Finds tags as YAML 1.2 does, and stops at what is too deep: PyYAML takes seconds for a thousand brackets."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  none of YAML 1.1's
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A node with all that is in it."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooDeepError
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes what either version would not read as text."""


for _kind, _pattern in _SCALARS:
    for _side in (_Loader, _Dumper):
        _side.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern.pattern})\Z"), [None])


class _Reading:
    """One text being read; `wrong` gets a line for every problem."""

    def __init__(self, name: str) -> None:
        self.wrong: list[str] = []
        self._name = name

    def check_size(self, root: yaml.Node) -> None:
        """Refuse what is too deep or expands to too much, before anything is expanded."""
        known: dict[int, tuple[int, int]] = {}
        above: set[int] = set()

        def measured(node: yaml.Node) -> tuple[int, int]:
            """Values in a node and layers of it."""
            if id(node) in above:
                raise YamlError(f"{self._name}, {_place(node.start_mark)}: a value must not hold itself")
            if id(node) not in known:
                above.add(id(node))
                parts = [measured(part) for part in _parts(node)]
                above.remove(id(node))
                known[id(node)] = 1 + sum(num for num, _ in parts), 1 + max((depth for _, depth in parts), default=0)
            return known[id(node)]

        num, depth = measured(root)
        if depth > MAX_DEPTH:
            raise YamlError(f"{self._name} must be nested at most {MAX_DEPTH} deep, but is {depth} deep")
        if num > MAX_VALUES:
            raise YamlError(
                f"{self._name} must hold at most {MAX_VALUES:,} values, but holds {num:,}, aliases expanded"
            )

    def value(self, node: yaml.Node) -> Any:
        """The plain value of a node; None where something is wrong."""
        match node:
            case yaml.MappingNode() if node.tag == _TAG + "map":
                return self._mapping(node)
            case yaml.SequenceNode() if node.tag == _TAG + "seq":
                return [self.value(part) for part in node.value]
            case yaml.ScalarNode() if node.tag.startswith(_TAG):
                return self._scalar(node, node.tag.removeprefix(_TAG))
            case _:
                return self._refuse_tag(node)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        values: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, value = self.value(key_node), self.value(value_node)
            if not isinstance(key, str):
                self._refuse(key_node, f"a name must be text, but got {reprlib.repr(key)}; put it into quotes")
            elif key in first:
                self._refuse(key_node, f"`{key}` is given twice, first in line {first[key]}; keep one of them")
            else:
                values[key], first[key] = value, key_node.start_mark.line + 1
        return values

    def _scalar(self, node: yaml.ScalarNode, kind: str) -> Any:
        text = node.value
        if _UNSPEAKABLE.search(text):
            return self._refuse(node, "text must not hold NUL or half of a surrogate pair")
        if kind == "str":
            return text
        if not any(kind == each and pattern.fullmatch(text) for each, pattern in _SCALARS):
            return self._refuse_tag(node)
        if kind in ("int", "float") and len(text) > MAX_DIGITS:
            return self._refuse(node, f"a number must have at most {MAX_DIGITS} digits, but this has {len(text):,}")
        return _made(kind, text.lower())

    def _refuse_tag(self, node: yaml.Node) -> None:
        self._refuse(node, f"must be a plain value, but is tagged {reprlib.repr(node.tag.replace(_TAG, '!!'))}")

    def _refuse(self, node: yaml.Node, sentence: str) -> None:
        self.wrong.append(f"  {_place(node.start_mark)}: {sentence}")


def _made(kind: str, text: str) -> Any:
    """What a scalar in lower case stands for."""
    match kind:
        case "null":
            return None
        case "bool":
            return text == "true"
        case "int":
            return int(text, 0 if text.startswith(("0o", "0x")) else 10)
        case _:
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _parts(node: yaml.Node) -> list[yaml.Node]:
    match node:
        case yaml.MappingNode():
            return [part for pair in node.value for part in pair]
        case yaml.SequenceNode():
            return list(node.value)
        case _:
            return []


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
