"""A tokenizer's folder, checked before a library reads it: no code, no other class, no file from elsewhere.

Importing this module imports no framework; loading is the caller's.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

from search_spaces.files.config_laws import TEXT, whole
from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.files.strict_text import TextError, read_text
from search_spaces.folders.part_laws import SPECIAL_TOKENS_LAWS, TOKENIZER_LAWS, read_config
from search_spaces.folders.weight_files import ModelFolderError

CLIP_TOKENIZERS: Final = ("CLIPTokenizer", "CLIPTokenizerFast")
CONFIG: Final = "tokenizer_config.json"
_SPECIAL, _ADDED, _WHOLE = "special_tokens_map.json", "added_tokens.json", "tokenizer.json"
_VOCABULARY, _MERGES = "vocab.json", "merges.txt"
_VOCABULARIES: Final = (_VOCABULARY, _ADDED)
_TEXTS: Final = (_MERGES, "vocab.txt")
_BINARIES: Final = ("spiece.model", "tokenizer.model", "sentencepiece.bpe.model")
TOKENIZER_FILES: Final = (CONFIG, _SPECIAL, _WHOLE, *_VOCABULARIES, *_TEXTS, *_BINARIES)  # all that are read
# As which byte-level vocabularies write the 256 bytes: those that print as themselves, the others above them.
_BYTES: Final = frozenset(map(chr, (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))))
_END: Final = "</w>"  # of a word
_ALWAYS: Final = ("<|startoftext|>", "<|endoftext|>")  # CLIP's, where no file names others
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
        if name in CLIP_TOKENIZERS:
            _check_merges(folder, config)
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


def _check_merges(folder: Path, config: dict[str, Any]) -> None:
    """Check that every token of a CLIP vocabulary is a byte, a special token, or made by a merge.

    Without its merges a vocabulary is read all the same: each word falls into its letters, which a text encoder has
    hardly ever seen.
    """
    special = {*_ALWAYS, *_tokens(config)}
    if (folder / _SPECIAL).is_file():
        special |= _tokens(read_json_object(folder / _SPECIAL))
    if (folder / _ADDED).is_file():
        special |= read_json_object(folder / _ADDED).keys()
    is_whole = (folder / _WHOLE).is_file()
    if is_whole:
        content = read_json_object(folder / _WHOLE)
        model = content.get("model")
        vocabulary, merges = (model.get("vocab"), model.get("merges")) if isinstance(model, dict) else (None, None)
        if not isinstance(vocabulary, dict) or not isinstance(merges, list):
            raise ModelFolderError(
                f"{folder / _WHOLE} must hold a `model` with `vocab` and `merges`, but does not; restore the folder "
                "from where it came"
            )
        pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
        added = content.get("added_tokens")
        _check_made(folder / _WHOLE, vocabulary, pairs, special | _contents(added))
    elif not (folder / _VOCABULARY).is_file():
        raise ModelFolderError(
            f"{folder} must hold a vocabulary, but has neither {_WHOLE} nor {_VOCABULARY} with {_MERGES}; restore the "
            "folder from where it came"
        )
    if (folder / _VOCABULARY).is_file() and ((folder / _MERGES).is_file() or not is_whole):
        text = read_text(folder / _MERGES) if (folder / _MERGES).is_file() else ""
        pairs = [line.split() for line in text.split("\n") if not line.startswith("#version")]
        _check_made(folder / _MERGES, read_json_object(folder / _VOCABULARY), pairs, special)


def _check_made(path: Path, vocabulary: Collection[str], pairs: Iterable[Any], special: Collection[str]) -> None:
    """Check that pairs make all tokens that are neither bytes nor special."""
    made = {"".join(pair) for pair in pairs if isinstance(pair, list) and len(pair) == 2 and all(map(TEXT.holds, pair))}
    unmade = [
        token
        for token in vocabulary
        if token.removesuffix(_END) not in _BYTES and token not in made and token not in special
    ]
    if unmade:
        raise ModelFolderError(
            f"{path} must hold a merge for every token of the vocabulary, but {len(unmade):,} of {len(vocabulary):,} "
            f"have none, such as {unmade[0][:80]!r}: captions would be read as other tokens; restore the folder from "
            "where it came"
        )


def _tokens(config: dict[str, Any]) -> set[str]:
    """The special and added tokens that a checked config names."""
    return {token for key in (*SPECIAL_TOKENS_LAWS, "added_tokens_decoder") for token in _contents(config.get(key))}


def _contents(value: Any) -> set[str]:
    """The texts of a token, or of lists and objects of tokens."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return _contents([value["content"]] if "content" in value else list(value.values()))
    return {token for each in value for token in _contents(each)} if isinstance(value, list) else set()
