"""The command with a plugin on its path."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "tests" / "plugins" / "nas_plugin"


def nas(installed: Path | None, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, with the plugin on the path or without it."""
    paths = [str(ROOT), *([str(installed)] if installed else [])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "160"}
    command = [sys.executable, "-c", "from nas.cli import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
