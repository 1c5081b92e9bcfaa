"""Settings: frozen values whose laws, defaults and descriptions stand once, where the room that takes them is.

A section of an experiment's YAML file is such a value, and `docs/settings.md` is written from the same classes. Laws
hold however a value is made, from Python by its constructor or from plain values by `read`; whatever breaks one, the
only error is a `SettingsError` that names every problem with its place.
"""

import functools
import json
import reprlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import field, fields, is_dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any, Final, TypeVar, cast, dataclass_transform, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from search_spaces.files.user_error import UserError

T = TypeVar("T")
MAX_PROBLEMS: Final = 30  # as many as a person reads
_CONFIG: Final = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_STRANGERS: Final = ("extra_forbidden", "unexpected_keyword_argument")
_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120


class SettingsError(UserError):
    """Settings that break their laws; the message lists every problem with its place."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def settings(kind: type[T], /) -> type[T]:
    """A frozen, keyword-only dataclass that is checked at birth.

    The law and the description of a setting stand in its type: `Annotated[int, Field(ge=1, description="...")]`.
    """
    made: Any = dataclass(kind, frozen=True, slots=True, kw_only=True, config=_CONFIG)
    build: Callable[..., None] = made.__init__

    @functools.wraps(build)
    def checked(self: T, /, **values: Any) -> None:
        try:
            build(self, **values)
        except ValidationError as error:
            raise _told(made, error, name=made.__name__) from None

    made.__init__ = checked
    return cast("type[T]", made)


def read(kind: type[T], values: Mapping[str, Any], /, *, name: str) -> T:
    """The settings that plain values stand for: strings, numbers, lists and mappings, as YAML and JSON have them.

    Args:
        kind: Class of the settings.
        values: By name; sections are mappings.
        name: Of what holds the values, for the error's message.

    Raises:
        SettingsError: They break laws.
    """
    try:
        made: T = _adapter(cast(Hashable, kind)).validate_json(json.dumps(values))
    except ValidationError as error:
        raise _told(kind, error, name=name) from None
    return made


def plain(value: Any, /) -> Any:
    """Settings as plain values that `read` takes; sets are sorted, so that equal settings look the same."""
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(name): plain(part) for name, part in value.items()}
        case Set():
            return sorted(plain(part) for part in value)
        case Sequence():
            return [plain(part) for part in value]
        case _ if is_dataclass(value):
            return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
        case _:
            return str(value)  # a path


def described(kind: type, /) -> Mapping[str, FieldInfo]:
    """What is known of each setting of a class: its type, default, laws and description; none for another class."""
    known: Mapping[str, FieldInfo] = getattr(kind, "__pydantic_fields__", {})
    return known


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _told(kind: type, error: ValidationError, *, name: str) -> SettingsError:
    """A person's error for pydantic's."""
    problems = list[str]()
    listed = set[tuple[int | str, ...]]()  # sections whose names were told
    found = error.errors()
    around = {problem["loc"][:depth] for problem in found for depth in range(len(problem["loc"]))}
    for problem in found:
        if problem["type"] == "too_short" and problem["loc"] in around:
            continue  # the list lacks the items that are wrong
        if (section := problem["loc"][:-1]) in listed and problem["type"] in _STRANGERS:
            problems.append(f"{'.'.join(map(str, problem['loc']))}: there is no such setting either")
            continue
        problems.append(_sentence(kind, problem))
        if problem["type"] in _STRANGERS:
            listed.add(section)
    shown = [f"  {problem}" for problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        shown.append(f"  and {len(problems) - MAX_PROBLEMS} more")
    return SettingsError("\n".join([f"{name} has {len(problems)} problem{'s'[: len(problems) > 1]}:", *shown]))


def _sentence(kind: type, problem: ErrorDetails) -> str:
    """Place, law and value of a problem."""
    place, given = ".".join(map(str, problem["loc"])) or "settings", _SHORT.repr(problem["input"])
    match problem["type"]:
        case "missing":
            return f"{place}: must be given, but is missing"
        case stranger if stranger in _STRANGERS:
            names = _names(kind, problem["loc"][:-1])
            near = get_close_matches(str(problem["loc"][-1]), names, n=1, cutoff=0.75)
            nearest = f" (the nearest is {near[0]})" if near and len(names) > 1 else ""
            return f"{place}: there is no such setting; choose among {', '.join(names)}{nearest}"
        case "value_error":
            return f"{place}: {problem['msg'].removeprefix('Value error, ')}"
        case "dataclass_type":
            return f"{place}: must be a section with settings, but got {given}"
        case _:
            _, should, law = problem["msg"].partition(" should ")
            return f"{place}: {f'must {law}' if should else problem['msg']}, but got {given}"


def section_of(info: FieldInfo, /) -> type | None:
    """The class of a setting that is a section, which may be left out; None for another one."""
    for kind in (info.annotation, *get_args(info.annotation)):
        if isinstance(kind, type) and described(kind):
            return kind
    return None


def _names(kind: type, sections: Iterable[int | str]) -> list[str]:
    """Names of the settings in a section, which may stand in a list or mapping of sections."""
    place: Any = kind
    for section in sections:
        info = described(place).get(str(section))
        place = _inner(place) if info is None else _given(info.annotation)
    return list(described(place))


def _given(annotation: Any) -> Any:
    """A type without the None that says that it may be left out."""
    given = [part for part in get_args(annotation) if part is not type(None)]
    return given[0] if type(None) in get_args(annotation) else annotation


def _inner(annotation: Any) -> Any:
    """The type of what stands in a list or mapping."""
    found = next((part for part in reversed(get_args(annotation)) if part is not ...), None)
    assert found is not None, "whatever has settings is a section, or holds some"
    return found
