"""Embedded captions: in a folder that workers share, where the first who needs them embeds them, or in memory.

    FOLDER/<made from>/<made from, and captions>.safetensors       a chunk each

A chunk is embedded by itself, so that its bits do not depend on what else is scored. Who embeds holds the lock on the
inner folder; who needs the same meanwhile waits, and reads. What a killed worker has embedded by then stands. Who
cannot keep a file there holds its chunk in its own memory, and says so.
"""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from nas.evaluation.captions.embedder import CaptionEmbedder, Chunk
from nas.evaluation.captions.file import SUFFIX, CaptionFileError, read_captions, write_captions
from nas.pipelines.conditioning import Conditioning
from search_spaces.files.digests import digest_of
from search_spaces.files.durable.locks import locked
from search_spaces.files.durable.parts import sweep
from search_spaces.files.durable.places import PlaceError

EMPTY: Final[Chunk] = ("",)
RULE: Final = 1  # number of the way from captions to a file: counts up when it gives others
_log = logging.getLogger(__name__)


class CaptionWarning(UserWarning):
    """A damaged file of embedded captions was made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionFolder:
    """Where workers share what they embed.

    Attributes:
        path: The folder; whoever owns it has made it.
        made_by: What embeds here: versions and the kind of machine.
    """

    path: Path
    made_by: str


class KnownCaptions(Protocol):
    """Conditionings of chunks of captions."""

    def begin(self, chunks: Sequence[Chunk], /) -> None:
        """Embed the empty caption; the other chunks may wait until they are needed."""

    def need(self, chunks: Sequence[Chunk], /) -> None:
        """Embed what nobody has embedded, and let the text encoders go."""

    def read(self, chunk: Chunk, /) -> Conditioning:
        """The conditioning of a chunk that was needed before."""


def known_captions(embedder: CaptionEmbedder, /, *, folder: CaptionFolder | None) -> KnownCaptions:
    """Embedded captions of a folder; in memory where there is none, or where this machine cannot write to it.

    Args:
        embedder: Embeds them.
        folder: Where they are shared; None = nowhere.
    """
    if folder is None:
        return CaptionsInMemory(embedder)
    if not (folder.path.is_dir() and os.access(folder.path, os.R_OK | os.W_OK | os.X_OK)):
        _log.warning("%s cannot be written here: this worker keeps all captions in its own memory", folder.path)
        return CaptionsInMemory(embedder)
    return CaptionFiles(embedder, folder=folder)


class CaptionsInMemory:
    """All of them in this process, in the computer's memory.

    Args:
        embedder: Embeds them.
    """

    def __init__(self, embedder: CaptionEmbedder, /) -> None:
        self._embedder = embedder
        self._known: dict[Chunk, Conditioning] = {}

    def begin(self, chunks: Sequence[Chunk], /) -> None:
        """Embed everything, with the text encoders loaded once."""
        self.need((EMPTY, *chunks))

    def need(self, chunks: Sequence[Chunk], /) -> None:
        """Embed what is not known."""
        if missing := [chunk for chunk in chunks if chunk not in self._known]:
            embed = self._embedder.load()
            self._known |= {chunk: embed(chunk).to("cpu") for chunk in missing}

    def read(self, chunk: Chunk, /) -> Conditioning:
        """The conditioning of a chunk."""
        return self._known[chunk]


class CaptionFiles:
    """A file per chunk in a folder that workers share.

    Args:
        embedder: Embeds what is not there.
        folder: Where.
    """

    def __init__(self, embedder: CaptionEmbedder, /, *, folder: CaptionFolder) -> None:
        self._embedder, self._shared = embedder, folder.path
        self._made_from = digest_of({"rule": RULE, **embedder.made_from(), "made_by": folder.made_by})
        self._folder = folder.path / self._made_from
        self._held: dict[Chunk, Conditioning] = {}  # what could not be kept there

    def begin(self, chunks: Sequence[Chunk], /) -> None:
        """Embed the empty caption, which shows that the text encoders load; the rest may take too long for a start."""
        self.need((EMPTY,))

    def need(self, chunks: Sequence[Chunk], /) -> None:
        """Embed what nobody has embedded, or wait for who does."""
        if self._missing(chunks):
            with suppress(OSError):  # told where a file cannot be kept
                self._folder.mkdir(exist_ok=True)
            with self._alone():
                sweep(self._folder)
                if missing := self._missing(chunks):
                    _log.info("embeds %d captions into %s", sum(map(len, missing)), self._folder)
                    embed = self._embedder.load()
                    for chunk in missing:
                        self._keep(chunk, embed(chunk))

    def read(self, chunk: Chunk, /) -> Conditioning:
        """The conditioning of a chunk; one that is damaged or gone is embedded again.

        Warns:
            CaptionWarning: It was damaged.
        """
        if chunk in self._held:
            return self._held[chunk]
        try:
            return read_captions(self._path(chunk), made_from=self._key(chunk))
        except FileNotFoundError:
            _log.warning("%s is gone: embedded again", self._path(chunk))
        except CaptionFileError as error:
            warnings.warn(f"{error}: embedded again", CaptionWarning, stacklevel=2)
        text = self._embedder.load()(chunk)
        self._keep(chunk, text)
        return text

    def _keep(self, chunk: Chunk, text: Conditioning) -> None:
        """Write a chunk's file, or hold it where that cannot be."""
        try:
            self._shared.stat()  # where the run was moved or deleted, nothing may be written to its old place
            write_captions(self._path(chunk), text, made_from=self._key(chunk))
        except (PlaceError, OSError) as error:
            if not self._held:
                _log.warning("this worker keeps captions in its own memory, since a file is refused: %s", error)
            self._held[chunk] = text.to("cpu")

    def _missing(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        found = (chunk for chunk in dict.fromkeys(chunks) if chunk not in self._held)
        return [chunk for chunk in found if not os.path.isfile(self._path(chunk))]  # noqa: PTH113  False where forbidden

    def _path(self, chunk: Chunk) -> Path:
        return self._folder / f"{self._key(chunk)}{SUFFIX}"

    def _key(self, chunk: Chunk) -> str:
        return digest_of({"made_from": self._made_from, "captions": chunk})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder; where the file system has no locks, who comes second writes the same."""
        lock = None
        with suppress(OSError):
            if (lock := locked(self._folder)) is None:
                _log.info("waits for the worker that embeds captions into %s", self._folder)
                lock = locked(self._folder, wait=True)
        try:
            yield
        finally:
            if lock is not None:
                lock.release()
