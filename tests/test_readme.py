"""What the README says works: its commands exist, its links lead to files."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from nas.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = "\n".join(re.findall(r"^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
NAS_COMMANDS = re.findall(r"^nas ((?:space |latency )?[a-z]+) ", BLOCKS, re.MULTILINE)
TARGETS = re.findall(r"^make ([a-z-]+)", BLOCKS, re.MULTILINE)


def test_there_is_something_to_check() -> None:
    assert {"search", "status", "export", "generate", "space show", "latency show"} <= set(NAS_COMMANDS)
    assert {"demo", "test"} <= set(TARGETS)


@pytest.mark.parametrize("words", sorted(set(NAS_COMMANDS)))
def test_commands_of_the_readme_exist(words: str) -> None:
    command: Any = typer.main.get_command(app)
    for word in words.split():
        assert word in command.commands, f"there is no `nas {words}`"
        command = command.commands[word]


@pytest.mark.parametrize("target", sorted(set(TARGETS)))
def test_targets_of_the_readme_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", README))))
def test_links_of_the_readme_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
