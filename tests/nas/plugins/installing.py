"""The command with a plugin on its path, in a process forked from one that has imported all it needs."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.nas.searching import exit_code

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "tests" / "plugins" / "nas_plugin"


def nas(installed: Path | None, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, with the plugin on the path or without it."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "stdout"), Path(folder, "stderr")
        code = exit_code(_command, list(map(str, arguments)), installed, out, err)
        assert code is not None
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


def _command(arguments: Sequence[str], installed: Path | None, out: Path, err: Path) -> None:
    """What a shell does: a path, a width, two streams, and the arguments."""
    from nas.cli import main

    if installed is not None:
        sys.path.insert(0, str(installed))
    os.environ["COLUMNS"] = "160"
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        with path.open("w") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = ["nas", *arguments]
    main()
