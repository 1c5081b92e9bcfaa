"""Where files stand that nobody keeps: in memory, where the machine has a folder for that, for no disk is as quick."""

import os
from typing import Final

IN_MEMORY: Final = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  None = tempfile's own place
