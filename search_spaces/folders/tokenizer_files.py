"""A tokenizer's folder, checked before a library reads it: no code, no other class, no file from elsewhere.

Importing this module imports no framework; loading is the caller's.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from search_spaces.files.config_laws import whole
from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.files.strict_text import TextError, read_text
from search_spaces.folders.part_laws import SPECIAL_TOKENS_LAWS, TOKENIZER_LAWS, read_config
from search_spaces.folders.weight_files import ModelFolderError

CLIP_TOKENIZERS: Final = ("CLIPTokenizer", "CLIPTokenizerFast")
CONFIG: Final = "tokenizer_config.json"
_SPECIAL, _ADDED, _WHOLE = "special_tokens_map.json", "added_tokens.json", "tokenizer.json"
_VOCABULARIES: Final = ("vocab.json", _ADDED)
_TEXTS: Final = ("merges.txt", "vocab.txt")
_BINARIES: Final = ("spiece.model", "tokenizer.model", "sentencepiece.bpe.model")
TOKENIZER_FILES: Final = (CONFIG, _SPECIAL, _WHOLE, *_VOCABULARIES, *_TEXTS, *_BINARIES)  # all that are read
_ID: Final = whole(0, 10_000_000)


def check_tokenizer(folder: Path, /, *, classes: Collection[str] = CLIP_TOKENIZERS) -> dict[str, Any]:
    """Check that a tokenizer's files hold what tokenizers of some classes hold, and nothing that a library obeys.

    Args:
        folder: With `tokenizer_config.json`.
        classes: That it may be of; `tokenizer_class` may be absent where there is no choice.

    Returns:
        Its config.

    Raises:
        ModelFolderError: It does not; the message names the file, the key or token, and the remedy.
    """
    config = read_config(folder / CONFIG, TOKENIZER_LAWS, of="a tokenizer")
    if (name := config.get("tokenizer_class", "CLIPTokenizer" if classes == CLIP_TOKENIZERS else None)) not in classes:
        raise ModelFolderError(
            f"`tokenizer_class` in {folder / CONFIG} must be {' or '.join(classes)}, but got {name!r}; choose another "
            "checkpoint"
        )
    if (folder / _SPECIAL).is_file():
        read_config(folder / _SPECIAL, SPECIAL_TOKENS_LAWS, of="special tokens")
    try:
        for vocabulary in _VOCABULARIES:
            if (folder / vocabulary).is_file():
                _check_vocabulary(folder / vocabulary)
        for text in _TEXTS:
            if (folder / text).is_file():
                read_text(folder / text)
        if (folder / _WHOLE).is_file():
            read_json_object(folder / _WHOLE)
    except (JsonError, TextError, OSError) as error:
        raise ModelFolderError(f"{error}; restore the folder from where it came") from error
    return config


def _check_vocabulary(path: Path) -> None:
    """Check that every token has a number of its own."""
    vocabulary = read_json_object(path)
    wrong = next((token for token, number in vocabulary.items() if not _ID.holds(number)), None)
    if wrong is not None:
        raise ModelFolderError(
            f"{path}: the token {wrong!r} must have {_ID.says}, but got {vocabulary[wrong]!r:.80}; restore the folder "
            "from where it came"
        )
    if path.name == _VOCABULARIES[0] and len(set(vocabulary.values())) < len(vocabulary):
        raise ModelFolderError(
            f"{path}: two tokens must not have one number, but some have; restore the folder from where it came"
        )
