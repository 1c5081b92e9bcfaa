"""Captions to what a UNet is conditioned on, by one or two CLIP text encoders, as diffusers computes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from diffusers.loaders import TextualInversionLoaderMixin
from jaxtyping import Float, Int
from torch import Tensor
from transformers import BatchEncoding, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from nas.pipelines.conditioning import Conditioning
from search_spaces.files.strict_text import whole_letters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextEncoders:
    """Text encoders with their tokenizers.

    Attributes:
        tokenizers: One per model.
        models: One: SD, whose last layer is read. Two: SDXL, whose last layers but one stand side by side, and of
            whose second the pooled projection is read.
        zero_empty_prompt: Whether the empty caption is zeros rather than embedded.
    """

    tokenizers: tuple[CLIPTokenizer, ...]
    models: tuple[CLIPTextModel | CLIPTextModelWithProjection, ...]
    zero_empty_prompt: bool

    @property
    def context_tokens(self) -> int:
        """Tokens that every caption is padded or cut to."""
        return int(self.tokenizers[0].model_max_length)

    @torch.no_grad()  # what comes out is trained on, which inference tensors refuse
    def encode(self, captions: Sequence[str], /, *, size_px: tuple[int, int], batch_size: int = 64) -> Conditioning:
        """The conditioning of one picture per caption; an empty caption means a picture without text.

        Args:
            captions: What the pictures show.
            size_px: Height and width of the pictures; original and target size alike, uncropped.
            batch_size: Captions per forward pass.

        Raises:
            TextError: A caption holds half of a letter, which no tokenizer takes.
        """
        for caption in captions:
            whole_letters(caption, name="a caption")
        parts = [captions[start : start + batch_size] for start in range(0, len(captions), batch_size)]
        if len(self.models) == 1:
            return Conditioning(embeddings=torch.cat([self._last(part) for part in parts]))
        states, pooled = zip(*(self._penultimate(part) for part in parts), strict=True)
        embeddings, summaries = torch.cat(states), torch.cat(pooled)
        if self.zero_empty_prompt:
            empty = torch.tensor([caption == "" for caption in captions], device=embeddings.device)
            embeddings[empty], summaries[empty] = 0, 0
        time_ids = torch.tensor([*size_px, 0, 0, *size_px], dtype=embeddings.dtype, device=embeddings.device)
        return Conditioning(embeddings=embeddings, pooled=summaries, time_ids=time_ids.repeat(len(captions), 1))

    def _last(self, captions: Sequence[str]) -> Float[Tensor, "n tokens width"]:
        model, tokens = self.models[0], self._tokens(0, captions)
        mask = tokens["attention_mask"] if getattr(model.config, "use_attention_mask", False) else None
        states: Tensor = model(tokens["input_ids"], attention_mask=mask).last_hidden_state
        return states

    def _penultimate(
        self, captions: Sequence[str]
    ) -> tuple[Float[Tensor, "n tokens width"], Float[Tensor, "n pooled"]]:
        outputs = [
            model(self._tokens(which, captions)["input_ids"], output_hidden_states=True)
            for which, model in enumerate(self.models)
        ]
        return torch.cat([output.hidden_states[-2] for output in outputs], dim=-1), outputs[-1].text_embeds

    def _tokens(self, which: int, captions: Sequence[str]) -> Mapping[str, Int[Tensor, "n tokens"]]:
        tokenizer = self.tokenizers[which]
        tokens: BatchEncoding = tokenizer(
            [_with_vectors(caption, tokenizer) for caption in captions],
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        placed: Mapping[str, Tensor] = tokens.to(self.models[which].device)
        return placed


def too_long(captions: Sequence[str], /, *, tokenizers: Sequence[CLIPTokenizer]) -> list[int]:
    """Which captions have more tokens than are read, by their place; what comes after the limit is lost."""
    found = set[int]()
    for tokenizer in tokenizers:
        texts = [_with_vectors(caption, tokenizer) for caption in captions]
        lengths = [len(tokens) for tokens in tokenizer(texts, verbose=False).input_ids]
        found |= {place for place, length in enumerate(lengths) if length > tokenizer.model_max_length}
    return sorted(found)


def _with_vectors(caption: str, tokenizer: CLIPTokenizer) -> str:
    """A caption whose words of a textual inversion stand once per vector, as diffusers' pipelines write them."""
    if not any(word.endswith("_1") for word in tokenizer.added_tokens_encoder):  # no word has a second vector
        return caption  # diffusers would ask the tokenizer, which warns of errors at long captions that we cut
    converted: str = TextualInversionLoaderMixin().maybe_convert_prompt(caption, tokenizer)
    return converted
