"""What a process ran on: the commit is that of a checkout of ours, or none."""

import subprocess
from importlib import metadata
from pathlib import Path

from nas.runs.environment import commit_of, environment


def test_a_commit_is_that_of_the_repository_that_tracks_the_file(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        name = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
        done = subprocess.run(["git", "-C", str(tmp_path), *name, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    tracked, installed = tmp_path / "nas" / "module.py", tmp_path / ".venv" / "nas" / "module.py"
    for file in (tracked, installed):
        file.parent.mkdir(parents=True)
        file.write_text("")
    assert commit_of(tracked) is None, "there is no repository"
    git("init", "--quiet")
    git("add", "nas")
    git("commit", "--quiet", "--message", "first")
    assert commit_of(tracked) == git("rev-parse", "HEAD")
    assert commit_of(installed) is None, "somebody's repository, in which a package is installed"


def test_versions_are_those_of_the_installed_packages() -> None:
    assert environment()["libraries"]["torch"] == metadata.version("torch")
