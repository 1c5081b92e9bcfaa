"""Every setting in words, from the classes alone: the rows of `nas settings` and of docs/settings.md."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from inspect import getdoc
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from nas.config.identity.covered import BEFORE, RESULT_FREE
from nas.config.sections import ExperimentConfig
from nas.settings import described, plain, section_of

_HEAD: Final = """\
# Settings

An experiment is a YAML file of these settings; [experiments/demo.yaml](../experiments/demo.yaml) is one. On the command
line each can be changed by its dotted name: `nas search FILE search.target_ratio=0.6`. Paths in a file are relative to
that file, paths on the command line to the folder where the command runs; `~` is your home. YAML is read as version 1.2
has it: `1e-4` is a number, `yes` is text, and a name that is given twice is an error.

`config.yaml` of a run holds every setting except those marked †, which never change a result and may differ from call
to call. A setting marked * came after version 0.1.0: it is left out of the digest of a config while it has the value
shown below its table, which is what 0.1.0 did, so that older runs keep their digests.

This page is written by `nas settings --markdown`.
"""
_WORDS: Final = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}
_MANY: Final = {
    Any: "values",
    bool: "true or false each",
    int: "whole numbers",
    float: "numbers",
    str: "texts",
    Path: "paths",
    float | Literal["fastest"]: "numbers or the word `fastest`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting in words.

    Attributes:
        section: Its section; "" = the top of the file.
        name: Its own name.
        kind: What it is.
        default: As YAML has it; None = it must be given.
        law: What its value must keep, beyond its kind; "" = nothing.
        description: What it means.
    """

    section: str
    name: str
    kind: str
    default: str | None
    law: str
    description: str

    @property
    def key(self) -> str:
        """Dotted name."""
        return f"{self.section}.{self.name}" if self.section else self.name


def all_settings(kind: type = ExperimentConfig, /) -> list[Setting]:
    """Every setting of a file, an experiment's; sections stand in the file's order, behind what belongs to none."""
    known = list(_settings(kind, ""))
    order = list(dict.fromkeys(each.section.partition(".")[0] for each in known))
    return sorted(
        known, key=lambda each: (each.section != "", order.index(each.section.partition(".")[0]), each.section)
    )


def page(others: Mapping[str, type] = MappingProxyType({}), /) -> str:
    """docs/settings.md.

    Args:
        others: The settings of other files than experiments, by the title of their part of the page.
    """
    parts = [_HEAD, *_sections(ExperimentConfig)]
    for title, kind in others.items():
        parts.append(f"# {title}\n")
        parts += _sections(kind)
    return "\n".join(parts)


def _sections(document: type) -> Iterator[str]:
    """The sections of a file, each with its table."""
    known, is_experiment = all_settings(document), document is ExperimentConfig
    for section in dict.fromkeys(each.section for each in known):
        kind: Any = document
        for name in section.split(".") if section else ():
            kind = section_of(described(kind)[name])
        marked = "†" if is_experiment and section in RESULT_FREE else ""
        yield f"## {f'`{section}`{marked}' if section else 'Top of the file'}\n\n{_summary(kind)}\n"
        rows = ["| setting | kind | default | must be | meaning |", "|---|---|---|---|---|"]
        rows += [_row(each, is_experiment) for each in known if each.section == section]
        yield "\n".join(rows) + "\n"
        later = [f"`{key} = {_yaml(value)}`" for key, value in BEFORE.items() if key.rpartition(".")[0] == section]
        if is_experiment and later:
            yield f"\\* in no digest while {', '.join(later)}.\n"


def _summary(kind: type) -> str:
    text = getdoc(kind)
    assert text, "every section says what it is"
    return text.partition("\n\n")[0].replace("\n", " ")


def _row(each: Setting, is_marked: bool) -> str:
    marks = ("*" if each.key in BEFORE else "") + ("†" if each.key in RESULT_FREE else "")
    marks = marks if is_marked else ""
    default = "*must be given*" if each.default is None else f"`{each.default}`"
    cells = (f"`{each.name}`{marks}", each.kind, default, each.law, each.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _settings(kind: type, section: str) -> Iterator[Setting]:
    for name, info in described(kind).items():
        if (kind_below := section_of(info)) is not None:
            yield from _settings(kind_below, f"{section}.{name}" if section else name)
            continue
        assert info.description, f"{section}.{name} says what it means"
        yield Setting(
            section=section,
            name=name,
            kind=_kind(info.annotation),
            default=None if info.is_required() else _yaml(plain(info.get_default(call_default_factory=True))),
            law=law_of(info),
            description=info.description,
        )


def _yaml(value: Any) -> str:
    """A plain value as YAML and JSON have it."""
    return value if isinstance(value, str) and value else json.dumps(value)


def _kind(annotation: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join([*(_kind(part) for part in parts if part is not NoneType), "null"])
    if origin is Literal:
        return _one_of(parts)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _one_of([member.value for member in annotation])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{_MANY[_bare(parts[1])]} by name"
    if origin in (tuple, frozenset):
        return f"list of {_MANY[_bare(parts[0])]}"
    return _WORDS[annotation]


def _one_of(values: Any) -> str:
    *most, last = (f"`{value}`" for value in values)
    return f"{', '.join(most)} or {last}"


def law_of(info: FieldInfo, /) -> str:
    """The bounds of a setting in words; "" = none."""
    laws = [_bound(bound) for bound in info.metadata]
    for part in get_args(info.annotation):
        if get_origin(part) is Annotated:
            laws += ["each " + _bound(bound) for extra in get_args(part)[1:] for bound in extra.metadata]
    return ", ".join(filter(None, laws))


def _bound(bound: Any) -> str:
    match bound:
        case Ge():
            return f"at least {bound.ge}"
        case Gt():
            return f"above {bound.gt}"
        case Le():
            return f"at most {bound.le}"
        case Lt():
            return f"below {bound.lt}"
        case _ if (pattern := getattr(bound, "pattern", None)) is not None:
            return f"`{pattern}`"
    raise AssertionError(f"no words for the law {bound}")


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
