"""Reading the captions that architectures are scored on, in the formats that people have them in.

| suffix | what is read |
|---|---|
| .csv, .tsv | the column `caption` or `text` of a table with a header |
| .jsonl | `caption` or `text` of an object a line |
| .json | a list of texts or of such objects, {"picture": "text"}, or COCO's captions |
| any other | text, one caption a line; # begins a comment |

The pictures of {"picture": "text"} are names of image files, or ids, which hold a digit.
"""

import csv
import re
import reprlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from search_spaces.files.paths import no_such_file
from search_spaces.files.rows import DELIMITERS, Problems, lines_of, read_rows, text_in
from search_spaces.files.strict_json import JsonError, parse_json, read_json
from search_spaces.files.strict_text import read_text
from search_spaces.files.user_error import UserError

KEYS: Final = ("caption", "text")  # the first that a row has
_HASHTAG: Final = re.compile(r"#\w")
_HEADERS: Final = frozenset({*KEYS, "captions", "comment", "prompt", "title"})


_SUFFIX: Final = r"\.(?:jpe?g|png|webp|bmp|gif|tiff?|heic|avif)"
_IS_PICTURE: Final = re.compile(rf".+{_SUFFIX}|\S*\d\S*", re.IGNORECASE)
_NEARLY_ALL: Final = 0.9
# What a line of another format looks like; in which share of the lines, of at least how many; and what to do.
_FOREIGN: Final = (
    (
        re.compile(rf".*\t|\S+{_SUFFIX}(?:#\d+)?[\s,;|]", re.IGNORECASE),
        0.5,
        1,
        "tables, with tabs or names of pictures; save it as {stem}.tsv with a header that names a column caption, or "
        "keep only the captions",
    ),
    (re.compile(r"""(["']).*\1,?$"""), _NEARLY_ALL, 2, "texts in quotes; leave the quotes out"),
    (
        re.compile(r"(?:[-*+\u2022]|\d+[.)])\s"),
        _NEARLY_ALL,
        2,
        "lists, with marks or numbers before the text; leave them out",
    ),
    (
        re.compile(r"(?:- )?[\w.-]+:(?:\s|$)"),
        0.5,
        2,
        "settings, a name and a colon before each; give a file of captions alone",
    ),
)


class CaptionWarning(UserWarning):
    """Captions that are read otherwise than who wrote them may think."""


def read_captions(path: Path, /, *, num: int | None = None) -> list[str]:
    """Captions of a file, in its order; see the table above.

    Args:
        path: In UTF-8, with or without a byte order mark, or in UTF-16 with one.
        num: Take the first `num`; None = all.

    Raises:
        UserError: The file is missing, of another format than its suffix says, holds no caption, or fewer than `num`;
            every wrong entry is named at once.

    Warns:
        CaptionWarning: Lines that begin with a hashtag are left out as comments.
    """
    if not path.is_file():
        raise UserError(no_such_file(path, what="caption file", remedy="write one caption a line into it"))
    suffix = path.suffix.lower()
    if suffix == ".json":
        captions = list(_json_captions(path))
    elif suffix in (".jsonl", *DELIMITERS):
        problems = Problems(path)
        captions = []
        for line, row in read_rows(path, problems=problems):
            try:
                captions.append(_caption_in(row))
            except UserError as error:
                problems.add(line, str(error))
        problems.check()
    else:
        captions = _text_captions(path)
    if not captions and suffix in DELIMITERS:
        raise UserError(
            f"the caption file {path} holds no caption below its header; a table's first line names the columns, and "
            f"one of them {' or '.join(f'`{key}`' for key in KEYS)}"
        )
    if not captions:
        raise UserError(f"the caption file {path} holds no caption; write one caption a line into it")
    if num is not None and len(captions) < num:
        raise UserError(
            f"`num_prompts` is {num}, but {path} holds {len(captions)} captions; add captions or ask for fewer"
        )
    return captions[:num]


def _caption_in(row: Mapping[str, Any]) -> str:
    caption = text_in(row, keys=KEYS).strip()
    if not caption:
        raise UserError("must have a caption, but it is blank")
    return caption


def _text_captions(path: Path) -> list[str]:
    text = read_text(path)
    _check_is_text(path, text)
    lines = [line.strip() for line in lines_of(text)]
    hashtags = [number for number, line in enumerate(lines, start=1) if _HASHTAG.match(line)]
    if hashtags:
        warnings.warn(
            f"{path}: lines that begin with # are comments, and {len(hashtags)} of them may be captions, first line "
            f"{hashtags[0]} ({lines[hashtags[0] - 1][:60]!r}); write such captions into a .csv with the header caption",
            CaptionWarning,
            stacklevel=3,
        )
    return [line for line in lines if line and not line.startswith("#")]


def _check_is_text(path: Path, text: str) -> None:
    """Check that a file of lines is not one of another format under a wrong suffix.

    Raises:
        UserError: It is.
    """
    if text.count("\0") > len(text) // 4:
        raise UserError(f"{path} must be text in UTF-8, but looks like UTF-16 without its mark; save it as UTF-8")
    whole = text.strip()
    first = next((line for line in map(str.strip, lines_of(whole)) if line and not line.startswith("#")), "")
    if first[:1] in ("{", "["):
        if _is_json(first) and first != whole:
            raise UserError(
                f"{path} must hold a caption a line, but holds JSON objects; rename it to {path.stem}.jsonl"
            )
        if (whole[:1], whole[-1:]) in (("{", "}"), ("[", "]")):
            raise UserError(f"{path} must hold a caption a line, but holds JSON; rename it to {path.stem}.json")
    for suffix, delimiter in DELIMITERS.items():
        cells = [cell.strip().lower() for cell in next(csv.reader([first], delimiter=delimiter), [])]
        if len(cells) > 1 and _HEADERS & set(cells) and not any(" " in cell for cell in cells):
            raise UserError(
                f"{path} must hold a caption a line, but begins with the header of a table ({first[:60]}); rename it "
                f"to {path.stem}{suffix}, with the captions in a column `caption` or `text`"
            )
    captions = [line for line in map(str.strip, lines_of(whole)) if line and not line.startswith("#")]
    for pattern, share, least, remedy in _FOREIGN:
        alike = sum(pattern.match(line) is not None for line in captions)
        if len(captions) >= least and alike > share * len(captions):
            raise UserError(
                f"{path} must hold a caption a line, but {alike} of its {len(captions)} lines look like those of "
                f"{remedy.format(stem=path.stem)}; first {reprlib.repr(captions[0])}"
            )


def _is_json(text: str) -> bool:
    try:
        return isinstance(parse_json(text), (dict, list))
    except JsonError:
        return False


def _json_captions(path: Path) -> Iterator[str]:
    """Captions of a JSON document; every entry that holds none is told at once."""
    problems = list[str]()
    for place, entry in _entries(path, read_json(path)):
        row = entry if isinstance(entry, Mapping) else {"text": entry}
        try:
            yield _caption_in(row)
        except UserError as error:
            problems.append(f"  {place} {error}")
    if problems:
        shown = problems[:20] + ([f"  and {len(problems) - 20} more"] if len(problems) > 20 else [])
        raise UserError("\n".join([f"{path} has {len(problems)} problem{'s'[: len(problems) > 1]}:", *shown]))


def _entries(path: Path, document: Any) -> list[tuple[str, Any]]:
    """What should hold a caption each, with its place."""
    match document:
        case list():
            return [(f"[{index}]", entry) for index, entry in enumerate(document)]
        case {"annotations": list() as annotations}:
            return [(f"annotations[{index}]", entry) for index, entry in enumerate(annotations)]
        case dict() if document and all(isinstance(value, str) for value in document.values()):
            if (other := next((name for name in document if not _IS_PICTURE.fullmatch(name)), None)) is not None:
                raise UserError(
                    f'{path} must name pictures by their files or ids, as in {{"0.png": "caption"}}, but has '
                    f'{reprlib.repr(other)}; write a list of captions, or of {{"caption": ...}}'
                )
            return [(reprlib.repr(name), value) for name, value in document.items()]
    raise UserError(
        f'{path} must hold a list of captions, a list of {{"caption": ...}}, {{"picture": "caption", ...}}, or COCO\'s '
        '{"annotations": [{"caption": ...}, ...]}, but holds something else; write it in one of these forms'
    )
