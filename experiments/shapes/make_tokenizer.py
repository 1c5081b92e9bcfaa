"""Recipe 1 of 4: the CLIP tokenizer of the small model, one token per word of its captions.

    python -m experiments.shapes.make_tokenizer --out search_spaces/shapes/open_clip

OpenAI's CLIP layout: 256 bytes, 256 bytes that end a word, merges, start, end. The end token has the highest id,
because OpenCLIP pools the text tower where the id is greatest.
"""

import argparse
import json
from pathlib import Path

from open_clip.tokenizer import bytes_to_unicode
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from search_spaces.shapes.scenes import AND, BACKGROUNDS, COLOURS, COUNTS, PLACES, RELATIONS, SIZES, TEXTURES, THINGS

CONTEXT_TOKENS = 24
START, END = "<|startoftext|>", "<|endoftext|>"


def train_merges() -> list[tuple[str, str]]:
    """Byte-pair merges that make every caption word a single token."""
    groups = (THINGS, COLOURS, SIZES, PLACES, BACKGROUNDS, RELATIONS, TEXTURES, tuple(COUNTS.values()), (AND,))
    words = sorted(
        {w for group in groups for phrase in group for w in phrase.split()}
        | {f"{thing}s" for thing in THINGS}
        | {"a", "an", "on", "at", "in", "the", "background", "from", "to"}
    )
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=10_000, end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator([" ".join(words)] * 2, trainer=trainer)
    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder that receives the tokenizer files")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    merges = train_merges()
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(f"{c}</w>" for c in letters), *("".join(pair) for pair in merges), START, END]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    (out / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (out / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    (out / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": CONTEXT_TOKENS, "do_lower_case": True, **special}
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    print(f"{len(vocabulary)} tokens, {len(merges)} merges -> {out}")


if __name__ == "__main__":
    main()
