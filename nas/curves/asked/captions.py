"""Which captions are drawn: those of a file, one per picture where it is MS-COCO's, or those of the real pictures."""

from pathlib import Path
from typing import Any

from nas.curves.asked.settings import EvaluationSettings
from nas.scores.captions import read_captions
from nas.training.data.readers.example import Example, PictureReader
from search_spaces.files.strict_json import read_json
from search_spaces.files.user_error import UserError


def captions_of(settings: EvaluationSettings, /, *, reader: PictureReader | None) -> list[str]:
    """The captions.

    Args:
        settings: Where they stand, and how many are wanted.
        reader: The real pictures.

    Raises:
        UserError: There are none, or fewer than wanted.
    """
    if settings.captions is not None:
        path, captions = settings.captions, _one_per_picture(settings.captions)
    else:
        assert reader is not None, "the settings ask for one of both"
        assert settings.pictures is not None, "whose reader it is"
        path = settings.pictures
        found = (each for part in range(reader.num_parts) for _, each in reader.read(part))
        captions = [each.captions[0] for each in found if isinstance(each, Example) and each.captions[0]]
    if settings.num_captions is not None and len(captions) < settings.num_captions:
        raise UserError(
            f"`num_captions` is {settings.num_captions:,}, but {path} holds {len(captions):,}; ask for fewer, or give "
            "more captions"
        )
    return captions


def _one_per_picture(path: Path) -> list[str]:
    """The captions of a file; of MS-COCO's, which describe a picture five times, the first of each picture."""
    if path.suffix.lower() == ".json" and path.is_file():
        match read_json(path):
            case {"annotations": list() as annotations} if all(_has_picture(each) for each in annotations):
                first: dict[Any, str] = {}
                for each, caption in zip(annotations, read_captions(path), strict=True):
                    first.setdefault(each["image_id"], caption)
                return list(first.values())
    return read_captions(path)


def _has_picture(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("image_id"), int | str)
