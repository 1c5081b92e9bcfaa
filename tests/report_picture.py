"""Pictures of a run's report for the documents: `python -m tests.report_picture runs/demo docs/report.png`.

The top of the page in light; with a second file, the UNet's part as well.
"""

import argparse
import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from nas.reports.page import write_report
from nas.runs.run import open_run

WIDTH_PX, HEIGHT_PX, COLOURS = 1180, 1220, 256


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("top", type=Path)
    parser.add_argument("unet", type=Path, nargs="?")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = write_report(open_run(given.run), Path(folder) / "report.html")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH_PX, "height": HEIGHT_PX}, color_scheme="light")
        page.goto(page_file.as_uri())
        save(page.screenshot(), given.top)
        if given.unet is not None:
            page.get_by_label("Round", exact=True).fill("1")
            page.get_by_role("button", name="Up-3 ResNet 3:").click()
            page.evaluate("document.activeElement.blur(); scrollTo(0, document.querySelector('#unet').offsetTop - 20)")
            save(page.screenshot(), given.unet)
        browser.close()


def save(png: bytes, path: Path, /) -> None:
    """As few bytes as a document deserves."""
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
