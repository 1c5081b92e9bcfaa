"""Memory of training pictures: the same for a thousand and for a hundred thousand.

    python -m experiments.benchmarks.picture_memory [FOLDER [MAX_PICTURES]]

Sets of 1,000 pictures and ten times as many each up to MAX_PICTURES, 10,000 unless it is given, are made once in
FOLDER, by default runs/benchmarks/pictures: of 16x16 pixels, each with a caption of its own, as an image folder and as
tars of 10,000. Every line is a process of its own that opens a set and draws NUM_BATCHES batches of BATCH_SIZE from it:
encoded `once`, into a cache, or `per_batch`, as they come. Memory is what the process holds beyond the same process
with 64 pictures: `private` is its own, `mapped` are pages of files, which the system drops when others need the room.
"""

import io
import json
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

BATCH_SIZE, NUM_BATCHES, SIDE_PX, TAR_PICTURES, FEW = 64, 100, 16, 10_000, 64


def main() -> None:
    """Make the sets, and print a table; or measure one, in a process of its own."""
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]), encode=sys.argv[3])
        return
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/benchmarks/pictures")
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    sizes = [FEW, *(10**power for power in range(3, 9) if 10**power <= most)]
    print("| set | encoded | pictures | private MB | mapped MB | to open, s | pictures/s in batches |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for form in ("folder", "tars"):
        paths = {num: make(folder, form=form, num=num) for num in sizes}
        for encode in ("once", "per_batch"):
            rest: dict[str, float] = {}
            for num, path in paths.items():
                shutil.rmtree(folder / "cache", ignore_errors=True)
                command = [sys.executable, "-m", __spec__.name, "--measure", str(path), encode]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                rest = rest or found
                private, mapped = (found[name] - rest[name] for name in ("private_mb", "mapped_mb"))
                cells = f"{private:.0f} | {mapped:.0f} | {found['open_s']:.1f} | {found['per_s']:.0f}"
                print(f"| {form} | {encode} | {num:,} | {cells} |", flush=True)


def make(folder: Path, /, *, form: str, num: int) -> Path:
    """A set of pictures, unless it is there."""
    place = folder / f"{form}-{num}"
    if not place.is_dir():
        part = folder / f"{form}-{num}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (write_folder if form == "folder" else write_tars)(part, num)
        part.rename(place)
    return place if form == "folder" else place / "*.tar"


def write_folder(folder: Path, num: int) -> None:
    with (folder / "metadata.jsonl").open("w", encoding="utf-8") as metadata:
        for index, data, caption in pictures(num):
            name = f"{index // 1000:03d}/{index:06d}.png"
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
            metadata.write(json.dumps({"file_name": name, "text": caption}) + "\n")


def write_tars(folder: Path, num: int) -> None:
    rest = pictures(num)
    for index in range(-(-num // TAR_PICTURES)):
        with tarfile.open(folder / f"{index:03d}.tar", "w") as tar:
            for number, data, caption in islice(rest, TAR_PICTURES):
                members: tuple[tuple[str, bytes], ...] = (("png", data), ("txt", caption.encode()))
                for suffix, content in members:
                    member = tarfile.TarInfo(f"{number:06d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))


def pictures(num: int) -> Iterator[tuple[int, bytes, str]]:
    for index in range(num):
        buffer = io.BytesIO()
        colours = np.random.default_rng(index).integers(0, 256, size=(2, 2, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((SIDE_PX, SIDE_PX)).save(buffer, "PNG")
        yield index, buffer.getvalue(), f"four colours, the picture of number {index}"


def measure(path: Path, *, encode: str) -> None:
    """Open a set and draw batches of it in this process."""
    from nas.pipelines.model_folder import ModelFolder
    from nas.training.data.encoding import Encoder
    from nas.training.data.opening import open_training_data
    from nas.training.data.settings import DataSettings, Encoding
    from search_spaces.shapes import PIPELINE_DIR

    most: dict[str, float] = {"RssAnon": 0.0, "RssFile": 0.0}

    def look(*progress: object) -> None:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name in most:
                most[name] = max(most[name], int(value.split()[0]) / 1024)

    start = time.perf_counter()
    encoder = Encoder.of_model(ModelFolder(PIPELINE_DIR), latent_size=(SIDE_PX // 4, SIDE_PX // 4))
    folder = path if path.is_dir() else path.parent
    data = open_training_data(
        path,
        settings=DataSettings(encode=Encoding(encode)),
        encoder=encoder,
        cache=folder.parent / "cache",
        on_progress=look,
    )
    opened = time.perf_counter()
    for _ in islice(data.batches(seed=0, size=BATCH_SIZE, caption_dropout=0.1), NUM_BATCHES):
        look()
    told = {
        "private_mb": most["RssAnon"],
        "mapped_mb": most["RssFile"],
        "open_s": opened - start,
        "per_s": BATCH_SIZE * NUM_BATCHES / (time.perf_counter() - opened),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
