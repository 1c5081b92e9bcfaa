"""The command with a plugin on its path, in a warm process."""

import subprocess
from pathlib import Path

from tests import warm

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "tests" / "plugins" / "nas_plugin"


def nas(installed: Path | None, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, with the plugin on the path or without it."""
    return warm.nas(*arguments, path=[] if installed is None else [installed])
