"""Texts end with one newline and hold no trailing blanks and no marks of a merge; settings of tools can be read."""

import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
OTHERS = {
    "goldens",
    "sample",
    "sample_onnxruntime",
    "samples",
    "open_clip",
    "pipeline",
}  # written by other programs, byte for byte


def texts() -> list[Path]:
    """What git knows and people write."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        return []  # a source archive, not a checkout
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [
        path
        for path in paths
        if path.is_file() and path.suffix not in {".npz", ".parquet", ".png"} and OTHERS.isdisjoint(path.parts)
    ]


def fault(text: str, /) -> str | None:
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        return "must end with one newline"
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip():
            return f"line {number} ends with blanks"
        if line.startswith(("<<<<<<< ", ">>>>>>> ")) or line == "=======":
            return f"line {number} is a mark of a merge"
    return None


@pytest.mark.parametrize("text", ["a", "a\n\n", "a \n", "a\n\t\n", "<<<<<<< ours\n"])
def test_faults_are_found(text: str) -> None:
    assert fault(text)


def test_texts_have_no_fault() -> None:
    found = {str(path.relative_to(ROOT)): why for path in texts() if (why := fault(path.read_text(encoding="utf-8")))}
    assert found == {}


def test_hooks_call_programs_of_the_projects_own_environment() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"], "no hook needs the network"
    for hook in config["repos"][0]["hooks"]:
        assert hook["entry"].startswith(".venv/bin/"), hook["id"]


def test_the_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert f'version = "{citation["version"]}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (paper,) = citation["references"]
    assert len(paper["authors"]) == 9
    assert "2306.00980" in paper["url"]
