"""One call that distils a decoder, in a directory that goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from nas.config.loading import given_settings
from nas.distillation.decoder.job import SECTION, DecoderJob, find_decoder, load_decoder_config
from nas.distillation.decoder.rank import distil_rank
from nas.distillation.decoder.settings import DecoderDistillationConfig
from nas.launching.launch import Launch
from nas.launching.news import Listener, say_tenths
from nas.launching.start import launch
from nas.settings import plain
from search_spaces.files.durable.writing import write_text
from search_spaces.files.paths import local_path
from search_spaces.files.strict_yaml import dumped


@dataclass(frozen=True, slots=True, kw_only=True)
class DistilledDecoder:
    """What a decoder distillation gave.

    Attributes:
        folder: The pipeline folder with the small decoder.
        report: Parameters, milliseconds and nearness, before and after.
    """

    folder: Path
    report: dict[str, Any]


def distill_decoder(
    config: str | PathLike[str] | DecoderDistillationConfig,
    /,
    *,
    out: str | PathLike[str],
    overrides: Sequence[str] = (),
    on_news: Listener | None = None,
) -> DistilledDecoder:
    """Distil a decoder, or go on where an earlier call stopped; a line per tenth is said.

    Args:
        config: A decoder distillation, or the path of its YAML file.
        out: Directory; made when there is none.
        overrides: Settings to change, such as "ratio=0.5"; with a path only.
        on_news: Called with what happens, instead of saying lines; must be quick.

    Raises:
        ValueError: A config or something that it names breaks a law.
        StorageError: The disk refuses; the same call goes on.
        KeyboardInterrupt: It was stopped; the same call goes on.
    """
    config = given_settings(config, DecoderDistillationConfig, overrides=overrides, load=load_decoder_config)
    done = distil(find_decoder(config, local_path(out)), listen=on_news or say_tenths)
    if done is None:
        raise KeyboardInterrupt
    return done


def distil(job: DecoderJob, /, *, listen: Listener) -> DistilledDecoder | None:
    """Distil, or go on, or find that all is done.

    Args:
        job: What to do.
        listen: Hears how it goes.

    Returns:
        What came of it; None where somebody stopped it, and then the same call goes on.

    Raises:
        UserError: As `distil_rank`, or the directory is of another one.
        StorageError: The disk refuses; the same call goes on.
    """
    is_done = launch(
        Launch(
            folder=job.folder,
            identity=job.identity(),
            contents=job.contents,
            workers=job.config.training.workers,
            device=job.device,
            work=partial(distil_rank, job),
            section=SECTION,
        ),
        listen=listen,
    )
    write_text(job.folder.path / "config.yaml", dumped(plain(job.config)))
    if not is_done:
        return None
    return DistilledDecoder(folder=job.folder.pipeline, report=job.folder.trained() or {})
