"""The pictures at a path as batches."""

from pathlib import Path
from typing import Final

from nas.training.data.batches import TrainingData
from nas.training.data.cached_set import CachedSet
from nas.training.data.encoding import Encoder
from nas.training.data.encoding_once import Progress, encode_once
from nas.training.data.readers.opening import open_pictures
from nas.training.data.settings import DataSettings, Encoding
from nas.training.data.streamed_set import StreamedSet
from search_spaces.files.digests import digest_of

_FORMAT: Final = 1  # of shards, and of which pictures and captions one holds


def open_training_data(
    path: Path,
    /,
    *,
    settings: DataSettings,
    encoder: Encoder,
    cache: Path,
    on_progress: Progress = lambda done, total: None,
) -> TrainingData:
    """The pictures at a path as batches; with `encode: once` they are encoded now, unless they were before.

    Args:
        path: Of the pictures; see `open_pictures`.
        settings: How they are read.
        encoder: Encodes them.
        cache: Folder in which each set has a folder of its own, named by content; several runs may share it.
        on_progress: Called with pictures encoded and how many there are, if that is known.

    Raises:
        UserError: The pictures cannot be used.
        StorageError: The disk refuses.

    Warns:
        CorruptPicturesWarning: Some cannot be read.
    """
    reader = open_pictures(path, settings=settings)
    content = {"set": reader.digest, "encoder": encoder.digest, "size_px": encoder.size_px, "crop": settings.crop}
    if settings.encode is Encoding.PER_BATCH:
        return StreamedSet(
            reader=reader,
            encoder=encoder,
            digest=digest_of(content),
            crop=settings.crop,
            shuffled_pictures=settings.shuffled_pictures,
            max_corrupt_share=settings.max_corrupt_share,
        )
    made_from = digest_of(content | {"format": _FORMAT, "batch": encoder.batch_size})
    folder = cache / made_from
    contents = encode_once(
        reader,
        encoder=encoder,
        folder=folder,
        made_from=made_from,
        max_corrupt_share=settings.max_corrupt_share,
        on_progress=on_progress,
    )
    return CachedSet(folder=folder, contents=contents, digest=made_from, size_px=encoder.size_px)
