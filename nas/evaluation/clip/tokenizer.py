"""What an OpenCLIP model reads of captions: its tokens, and which captions it cuts."""

from collections.abc import Sequence
from pathlib import Path

import open_clip
from jaxtyping import Int
from torch import Tensor

from nas.evaluation.clip.folder import check_clip_folder
from search_spaces.folders.checked_loading import faults_told
from search_spaces.folders.weight_files import ModelFolderError


class ClipTokenizer:
    """What an OpenCLIP model reads of captions.

    Args:
        name: As that of `ClipModel`.
        pretrained: As there.

    Raises:
        ModelFolderError: A damaged tokenizer, or one of more tokens than the model has.
    """

    def __init__(self, name: str, /, *, pretrained: str | None = None) -> None:
        if pretrained is None:
            config, source, place = check_clip_folder(Path(name)), f"local-dir:{name}", Path(name)
        else:
            config, source, place = open_clip.get_model_config(name), name, Path(name)
        of_transformers = bool(config["text_cfg"].get("hf_tokenizer_name"))
        safely = {"trust_remote_code": False, "local_files_only": True} if of_transformers else {}
        with faults_told(place, what="the tokenizer of an OpenCLIP model"):
            self._read = open_clip.get_tokenizer(source, **safely)
            num_tokens = len(self._read.tokenizer) if of_transformers else self._read.vocab_size
        if num_tokens > (most := config["text_cfg"].get("vocab_size", num_tokens)):
            raise ModelFolderError(
                f"{place} must hold a tokenizer of at most the model's {most} tokens, but has {num_tokens}; restore "
                "the folder from where it came"
            )

    @property
    def context_tokens(self) -> int:
        """Tokens that every caption is padded or cut to."""
        return int(self._read.context_length)

    def tokens(self, captions: Sequence[str], /) -> Int[Tensor, "n tokens"]:
        """Tokens of captions."""
        tokens: Tensor = self._read(list(captions))
        return tokens

    def too_long(self, captions: Sequence[str], /) -> list[int]:
        """Which captions are cut, by their place: with room for one more token they would read otherwise."""
        limit = self.context_tokens
        more: Tensor = self._read(list(captions), context_length=limit + 1)
        changed = (more[:, :limit] != self.tokens(captions)).any(dim=1)
        return [int(place) for place in changed.nonzero()]
