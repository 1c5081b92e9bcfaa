"""Features of the real pictures: read in chunks, shaped as the models' pictures are, and seen once."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from nas.curves.plan import Plan
from nas.curves.store import ChunkKey, EvaluationStore
from nas.curves.worker import DrawingTask, Looked, LookingTask
from nas.training.data.corruption import Corruption
from nas.training.data.picture_files import CroppedPicture, PictureError, read_picture
from nas.training.data.readers.example import Damaged, Example, PictureReader
from nas.training.data.settings import DataSettings
from nas.workers.pool import Pool
from search_spaces.files.digests import digest_of

CHUNK: Final = 64
_PORTION: Final = 16  # chunks that are in memory at once
Crew: TypeAlias = Pool[DrawingTask | LookingTask, Looked]


def real_features(
    plan: Plan,
    /,
    *,
    pool: Crew,
    store: EvaluationStore,
    size_px: tuple[int, int],
    on_chunk: Callable[[int], None],
) -> npt.NDArray[np.float32]:
    """Features of all real pictures, a row each.

    Args:
        plan: Which pictures, and which features.
        pool: Who looks.
        store: What was seen before.
        size_px: Height and width that they are cut to.
        on_chunk: Called with how many pictures are done.

    Raises:
        UserError: More than one in a hundred cannot be read.
    """
    assert plan.reader is not None, "distances are wanted"
    assert plan.spec.features is not None, "distances need them"
    data, kind = DataSettings(), f"features-{digest_of({'features': plan.spec.features.digest})}"
    execution = {"execution": repr(plan.spec.execution), "num_threads": plan.spec.num_threads, "size_px": size_px}
    protocol, pictures = digest_of(execution), plan.reader.digest
    corruption = Corruption(max_share=data.max_corrupt_share, num_pictures=plan.reader.num_pictures)
    found: list[npt.NDArray[np.float32]] = []
    num_seen, chunks = 0, enumerate(_chunks(plan.reader, most=plan.settings.num_pictures))
    while portion := list(islice(chunks, _PORTION)):
        keys = {chunk: ChunkKey(model="real", protocol=protocol, prompts=_name(pictures, chunk, plan), kind=kind)
                for chunk, _ in portion}  # fmt: skip
        known = {chunk: numbers for chunk, key in keys.items() if (numbers := store.get(key)) is not None}
        names: dict[int, list[str]] = {}
        tasks = list[LookingTask]()
        for chunk, examples in portion:
            if chunk in known:
                num_damaged = len(examples) - len(known[chunk])
                corruption.add(num_read=len(examples), damaged=[], num_damaged=num_damaged)
                continue
            task, names[chunk] = _task(chunk, examples, size_px, corruption)
            if names[chunk]:
                tasks.append(task)
        for looked in pool.evaluate(tasks):
            assert isinstance(looked.task, LookingTask), "nothing else was asked"
            assert looked.features is not None, "they were asked for"
            chunk = looked.task.chunk
            known[chunk] = store.put(keys[chunk], looked.features, rows={"picture": names[chunk]})
        for chunk in (chunk for chunk, _ in portion if chunk in known):
            found.append(known[chunk])
            num_seen += len(known[chunk])
            on_chunk(num_seen)
    corruption.end()
    return np.concatenate(found)


def _chunks(reader: PictureReader, *, most: int | None) -> Iterator[list[Example | Damaged]]:
    every = (each for part in range(reader.num_parts) for _, each in reader.read(part))
    wanted = islice(every, most)
    while chunk := list(islice(wanted, CHUNK)):
        yield chunk


def _name(pictures: str, chunk: int, plan: Plan) -> str:
    """Which pictures a chunk holds: a last one that was cut short is another."""
    most = plan.settings.num_pictures
    num = CHUNK if most is None else min(CHUNK, most - chunk * CHUNK)
    return digest_of({"pictures": pictures, "chunk": chunk, "num": num})


def _task(
    chunk: int, examples: list[Example | Damaged], size_px: tuple[int, int], corruption: Corruption
) -> tuple[LookingTask, list[str]]:
    pixels, names, damaged = [], [], []
    for each in examples:
        if isinstance(each, Damaged):
            damaged.append(each)
            continue
        try:
            read: CroppedPicture = read_picture(each.picture, size_px=size_px)
        except PictureError as error:
            damaged.append(Damaged(name=each.name, reason=str(error)))
            continue
        pixels.append(read.pixels)
        names.append(each.name)
    corruption.add(num_read=len(examples), damaged=damaged)
    empty = np.zeros((0, *size_px, 3), dtype=np.uint8)
    return LookingTask(chunk=chunk, pictures=np.stack(pixels) if pixels else empty), names
