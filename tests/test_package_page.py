"""The page on a package index stands alone: no link or picture that is dead there, and commands that a wheel has."""

import re
import tomllib
from pathlib import Path
from typing import Any

import typer

from latency import shipped_tables
from nas.cli.app import app
from search_spaces.known.bundled import BUNDLED_MODELS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGE = (ROOT / PROJECT["readme"]).read_text(encoding="utf-8")


def test_it_has_no_link_that_is_dead_elsewhere() -> None:
    assert re.findall(r"!\[", PAGE) == []
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert links
    assert all(link.startswith("https://") for link in links)
    assert "experiments/" not in PAGE


def test_its_commands_exist_and_name_what_a_wheel_holds() -> None:
    (block,) = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines():
        nas, *words = line.partition("#")[0].split()
        assert nas == "nas"
        command: Any = typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands"), line
    assert f"nas space show {next(iter(BUNDLED_MODELS))}" in block
    assert re.findall(r"nas latency show (\S+)", block)[0] in shipped_tables()


def test_its_extras_exist() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.partition("Runtimes are extras")[2].partition("Search algorithms")[0]))
    assert named
    assert named <= set(PROJECT["optional-dependencies"])
