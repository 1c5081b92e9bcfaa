"""Captions that are longer than what is read of them: said once, at the start, before a model is loaded."""

import warnings
from collections.abc import Mapping, Sequence

from nas.evaluation.clip.tokenizer import ClipTokenizer
from nas.evaluation.settings import ClipSettings
from nas.pipelines.folder import load_tokenizers
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.text_encoders import too_long
from nas.scores.captions import CaptionWarning


def warn_of_long_captions(
    captions: Mapping[str, Sequence[str]], /, *, model: ModelFolder, clip: ClipSettings | None
) -> None:
    """Count the captions that text encoders, or CLIP, cut.

    Args:
        captions: Of each set, by its name; the first set is what CLIP reads too.
        model: Whose text encoders read them.
        clip: The judge; None = another one, which reads no captions that are known here.

    Warns:
        CaptionWarning: There are some.
    """
    tokenizers = load_tokenizers(model)
    judge = ClipTokenizer(clip.model, pretrained=clip.pretrained) if clip is not None else None
    limits = [f"{tokenizers[0].model_max_length} tokens of the text encoder"]
    if judge is not None:
        limits.append(f"{judge.context_tokens} of CLIP")
    told, example = [], ""
    for index, (name, texts) in enumerate(captions.items()):
        cut = set(too_long(texts, tokenizers=tokenizers))
        if judge is not None and index == 0:
            cut |= set(judge.too_long(texts))
        if cut:
            told.append(f"{len(cut)} of {len(texts)} {name} captions")
            example = example or texts[min(cut)]
    if told:
        warnings.warn(
            f"{' and '.join(told)} are longer than the {' or '.join(limits)}, and cut there, first "
            f"{example if len(example) <= 80 else example[:77] + '...'!r}; shorten them, since what is cut is neither "
            "drawn nor scored",
            CaptionWarning,
            stacklevel=3,
        )
