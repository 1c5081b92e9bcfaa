"""What documents say exists: links lead somewhere, commands parse, settings, modules and files are there.

Pages are those that speak of the present: README, CONTRIBUTING, docs/, and the heads of experiments. The log and the
changelog tell what was; of them only the links are held.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from nas.cli.app import app
from nas.cli.settings import documents
from nas.config.page import all_settings

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "docs" / "decisions" / "000-template.md"
HISTORY = [ROOT / "CHANGELOG.md", ROOT / "experiments" / "LOG.md"]
PAGES = sorted(
    {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "experiments").glob("*.yaml")} - {*HISTORY}
)
CODE = [*(ROOT / "experiments").rglob("*.py")]
FOREIGN = {"latency.median_ms"}  # a key of a profiler's report
OURS = "search_spaces|latency|nas|experiments|tests|docs"


def name_of(path: Path, /) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path, /) -> str:
    """A page; of an experiment the comments, since the rest of it is read by tests of its own."""
    text = path.read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^# ?(.*)$", text, re.MULTILINE)) if path.suffix == ".yaml" else text


def blocks(text: str, /) -> Iterator[str]:
    """Lines of code, fenced or indented, continued ones joined."""
    text, fenced = re.sub(r"\\\n\s*", " ", text), False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()


def words_of(line: str, /) -> list[str]:
    """A command's words, without the variables before it, its remark, or what follows an arrow."""
    return shlex.split(re.split(r"\s+(?:#|->|\|)(?:\s|$)", re.sub(r"^([A-Z_]+=\S+ )+", "", line))[0])


def commands(program: str, /) -> list[tuple[str, str]]:
    """Page and line of every command of a program."""
    lines = [(page, line) for page in PAGES for line in blocks(text_of(page))]
    lines += [(path, line) for path in CODE for line in blocks(path.read_text(encoding="utf-8"))]
    starts = re.compile(rf"^([A-Z_]+=\S+ )*{program}(?= [^= ])")
    return sorted({(name_of(page), line) for page, line in lines if starts.match(line)})


def inline(page: Path, /) -> list[str]:
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text_of(page))


# --------------------------------------------------------------------------------------------------------------- links
@pytest.mark.parametrize("page", sorted({*PAGES, *HISTORY} - {TEMPLATE}), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\((?![a-z]+:)([^)\s]+)\)", text_of(page)):
        target, _, anchor = link.partition("#")
        there = page.parent / target if target else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(link)
    assert lost == []


def anchors(page: Path, /) -> set[str]:
    """Heads of a page as its reader's links name them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


# ------------------------------------------------------------------------------------------------------------ commands
def test_there_are_commands_to_check() -> None:
    assert len(commands("nas")) > 30
    assert len(commands("make")) > 4
    assert len(commands("python -m")) > 8


@pytest.mark.parametrize(("page", "line"), commands("nas"))
def test_commands_parse(page: str, line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = words_of(line)[1:]
    context = click.Context(command, info_name="nas")
    while isinstance(command, click.Group) or hasattr(command, "commands"):
        assert words, f"{page}: `{line}` names no command"
        if words[0].startswith("-"):
            break
        assert words[0] in command.commands, f"{page}: there is no `nas ... {words[0]}`"
        command = command.commands[words.pop(0)]
        context = command.context_class(command, parent=context, info_name=command.name)
    given, _, _ = command.make_parser(context).parse_args(list(words))
    absent = [
        parameter.name
        for parameter in command.params
        if parameter.required and parameter.param_type_name == "argument" and not given.get(parameter.name)
    ]
    assert not absent, f"{page}: `{line}` lacks {absent}"
    for parameter in command.params:
        value, kind = given.get(parameter.name), parameter.bare_type
        if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, Enum) and value != value.upper():
            assert value in set(kind), f"{page}: `{line}` gives {parameter.name} no value that it takes"
    for word in words:
        if found := re.match(r"([a-z_]+(?:\.[a-z_]+)+)=", word):
            assert is_setting(found[1]), f"{page}: there is no setting {found[1]}"


@pytest.mark.parametrize(("page", "line"), commands("make"))
def test_targets_exist(page: str, line: str) -> None:
    targets = [word for word in words_of(line)[1:] if "=" not in word]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize(("page", "line"), commands("python -m"))
def test_modules_that_are_run_exist(page: str, line: str) -> None:
    module = words_of(line)[2]
    if module.partition(".")[0] in OURS.split("|"):
        path = ROOT.joinpath(*module.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


# ----------------------------------------------------------------------------------------------- settings, names, files
KNOWN = [setting for kind in documents().values() for setting in all_settings(kind)]
SETTINGS = {setting.key for setting in KNOWN}
SECTIONS = {key.partition(".")[0] for key in SETTINGS if "." in key}
SUBSECTIONS = {setting.section for setting in KNOWN if "." in setting.section}


def is_setting(dotted: str, /) -> bool:
    """Whether a dotted name is a setting, or something below one that takes values by name."""
    if dotted in SUBSECTIONS:
        return True
    return any(dotted == key or (dotted.startswith(f"{key}.") and key.endswith(".settings")) for key in SETTINGS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_settings_that_are_named_exist(page: Path) -> None:
    named = [
        found[1]
        for code in inline(page)
        if (found := re.fullmatch(r"([a-z_]+(?:\.[a-z_]+)+)(?:\s?[=:].*)?", code)) is not None
    ]
    files = (".json", ".jsonl", ".yaml")  # `training.jsonl` is one, though `training` is a section
    meant = [dotted for dotted in named if dotted.partition(".")[0] in SECTIONS and not dotted.endswith(files)]
    assert [dotted for dotted in meant if not is_setting(dotted)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_and_modules_that_are_named_exist(page: Path) -> None:
    assert lost_names(inline(page)) == []


def test_files_and_modules_that_code_speaks_of_exist() -> None:
    """A module that moved leaves its old name in docstrings and messages of others."""
    sources = [path for package in OURS.split("|") for path in sorted((ROOT / package).rglob("*.py"))]
    lost = [f"{name_of(path)}: {name}" for path in sources for name in lost_names(inline(path))]
    assert len(sources) > 500
    assert lost == []


def lost_names(codes: Iterable[str], /) -> list[str]:
    """Files and modules of ours among what stands between backticks that are not there."""
    lost = []
    for code in codes:
        if re.fullmatch(rf"(?:{OURS})/[\w./-]+\.\w+", code):
            lost += [code] if not (ROOT / code).exists() else []
        elif re.fullmatch(r"(?:search_spaces|latency|nas)(?:\.\w+)+", code):
            lost += [code] if not is_name(code) and code not in FOREIGN else []
    return lost


def is_name(dotted: str, /) -> bool:
    """Whether a dotted name is a module, or something that one names."""
    parts = dotted.split(".")
    for num in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:num])
        module = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        if module.is_file():
            return num == len(parts) or re.search(rf"\b{parts[num]}\b", module.read_text(encoding="utf-8")) is not None
    return False
