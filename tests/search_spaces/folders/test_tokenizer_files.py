"""A CLIP vocabulary without the merges that make its tokens is refused: it would be read, as other tokens."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from search_spaces.folders.tokenizer_files import check_tokenizer
from search_spaces.folders.weight_files import ModelFolderError
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR

VOCABULARY = json.loads((PIPELINE_DIR / "tokenizer" / "vocab.json").read_text())
MERGES = (PIPELINE_DIR / "tokenizer" / "merges.txt").read_text().splitlines()[1:]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PIPELINE_DIR / "tokenizer", tmp_path / "tokenizer"))


def made_whole(folder: Path, **changes: Any) -> Path:
    """The same tokenizer in one file."""
    model = {"type": "BPE", "vocab": VOCABULARY, "merges": MERGES} | changes
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()
    return folder


def test_the_bundled_tokenizers_are_whole() -> None:
    for folder in (PIPELINE_DIR / "tokenizer", OPEN_CLIP_DIR):
        assert check_tokenizer(folder)["tokenizer_class"] == "CLIPTokenizer"


@pytest.mark.parametrize("num_lines", [0, 1, 40, len(MERGES)])
def test_merges_cut_at_a_line_are_named(num_lines: int, folder: Path) -> None:
    path = folder / "merges.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:num_lines]))
    num_absent = len(MERGES) - max(num_lines - 1, 0)
    law = rf"merges\.txt must hold a merge for every token of the vocabulary, but {num_absent} of 689 have none, such"
    with pytest.raises(ModelFolderError, match=law):
        check_tokenizer(folder)


def test_absent_files_are_named(folder: Path) -> None:
    (folder / "merges.txt").unlink()
    with pytest.raises(ModelFolderError, match=r"but 175 of 689 have none"):
        check_tokenizer(folder)
    (folder / "vocab.json").unlink()
    with pytest.raises(ModelFolderError, match=r"has neither tokenizer\.json nor vocab\.json with merges\.txt"):
        check_tokenizer(folder)


def test_one_file_of_all_is_held_to_the_same(folder: Path) -> None:
    check_tokenizer(made_whole(folder, merges=[line.split() for line in MERGES]))
    for merges in (MERGES[:-3], []):
        made = {"type": "BPE", "vocab": VOCABULARY, "merges": merges}
        (folder / "tokenizer.json").write_text(json.dumps({"model": made}))
        with pytest.raises(ModelFolderError, match=r"tokenizer\.json must hold a merge for every token"):
            check_tokenizer(folder)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelFolderError, match=r"tokenizer\.json must hold a `model` with `vocab` and `merges`"):
        check_tokenizer(folder)


def test_special_and_added_tokens_need_no_merge(folder: Path) -> None:
    """Concepts are taught as tokens of their own."""
    names = ["<cat-toy>", "<unk>", "<pad>", "<mask>"]
    (folder / "vocab.json").write_text(json.dumps(VOCABULARY | {name: 689 + k for k, name in enumerate(names)}))
    with pytest.raises(ModelFolderError, match=r"but 4 of 693 have none, such as '<cat-toy>'"):
        check_tokenizer(folder)
    (folder / "added_tokens.json").write_text('{"<cat-toy>": 689}')
    (folder / "special_tokens_map.json").write_text('{"unk_token": {"content": "<unk>"}, "pad_token": "<pad>"}')
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"added_tokens_decoder": {"692": {"content": "<mask>", "special": True}}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    check_tokenizer(folder)
