"""A working directory that somebody else filled: its modules bear the names of what we import, and leave a mark."""

from pathlib import Path

MARK = "PWNED"
PAYLOAD = f"""
open({MARK!r}, "w").close()
class Evil: pass
AutoencoderKL = UNet2DConditionModel = CLIPTextModel = DDIMScheduler = CLIPTokenizer = Evil
"""
NAMES = ("numpy", "torch", "typer", "diffusers", "json", "sitecustomize", "usercustomize", "latency", "planted")


def strangers_directory(folder: Path, /) -> Path:
    """Make such a folder; what runs in it writes `PWNED` into the working directory."""
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / f"{name}.py").write_text(PAYLOAD, encoding="utf-8")
    return folder
