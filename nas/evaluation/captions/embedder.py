"""CaptionEmbedder: a chunk of captions to what a UNet is told of them, and all that these numbers depend on."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final, TypeAlias

import torch

from nas.pipelines.computing.execution import Execution
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.folder import load_text_encoders
from nas.pipelines.model_folder import ModelFolder

Chunk: TypeAlias = tuple[str, ...]
_LIBRARIES: Final = ("tokenizers", "transformers")  # beside those that every score depends on


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionEmbedder:
    """A model's text encoders, loaded for as long as somebody holds what `load` gives.

    Attributes:
        model: Whose they are.
        size_px: Height and width of pictures, which SDXL is told.
        execution: Where they run.
    """

    model: ModelFolder
    size_px: tuple[int, int]
    execution: Execution

    def load(self) -> Callable[[Chunk], Conditioning]:
        """Load the text encoders; what is given embeds a chunk, on the device, the same wherever it is called.

        Raises:
            ModelFolderError: A damaged part; the message says what is wrong with it.
        """
        encoders = load_text_encoders(self.model)
        for module in encoders.models:
            self.execution.place(module)
        device = torch.device(self.execution.device).type

        def embed(captions: Chunk) -> Conditioning:
            with torch.inference_mode(mode=False), torch.autocast(device, enabled=False):
                return encoders.encode(captions, size_px=self.size_px)

        return embed

    def made_from(self) -> dict[str, Any]:
        """All that the numbers depend on but the captions and the machine; the encoders' files are read for it."""
        return {
            "parts": self.model.part_digests("text_encoder", "tokenizer"),
            "zero_empty_prompt": self.model.index.zero_empty_prompt,
            "size_px": self.size_px,
            "device": torch.device(self.execution.device).type,
            "precision": str(self.execution.precision),
            "channels_last": self.execution.channels_last,
            "num_threads": torch.get_num_threads(),
            "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        }
