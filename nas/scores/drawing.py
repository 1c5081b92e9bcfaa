"""Which captions of which file are the prompts of a search: those that decide, and those that no decision sees.

All captions of the file are shuffled by the seed. The first ones decide: `num_prompts` in every round, `final_prompts`
where the best round is chosen. The last ones are held out, the very last first: neither set changes when the other one
grows, until they meet. Pure but for reading the files.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from nas.scores.captions import read_captions
from nas.scores.prompts import DrawnFrom, ValidationSet, ValidationSettings
from search_spaces.files.user_error import UserError

_MANY: Final = 5  # captions that a message names


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSets:
    """The prompts of a search.

    Attributes:
        deciding: What every round is decided on.
        final: What the best round is chosen on, which begins with them; None = on the same.
        held_out: What no decision sees; None where none are held out.
    """

    deciding: ValidationSet
    final: ValidationSet | None = None
    held_out: ValidationSet | None = None

    @property
    def captions(self) -> list[str]:
        """Of all sets."""
        sets = (self.final or self.deciding, self.held_out)
        return [prompt.caption for each in sets if each is not None for prompt in each.prompts]


def draw_prompts(settings: ValidationSettings, /, *, seed: int) -> PromptSets:
    """The prompts that settings ask for.

    Raises:
        UserError: A file cannot be read, has too few captions, or captions are held out that decide.
    """
    num = settings.final_prompts or settings.num_prompts
    from_file = settings.drawn_from is DrawnFrom.FILE
    captions = read_captions(settings.captions, num=None if from_file or settings.held_out else settings.num_prompts)
    if len(captions) < num:
        name = "num_prompts" if settings.final_prompts is None else "final_prompts"
        raise UserError(
            f"`{name}` is {num}, but {settings.captions} holds {len(captions)} captions; add captions or ask for fewer"
        )
    size = settings.chunk_size
    drawn = ValidationSet.from_captions(captions, seed=seed, chunk_size=size)
    decided = drawn if from_file else ValidationSet.from_captions(captions[:num], seed=seed, chunk_size=size)
    deciding = decided.first(num)
    held_out = None if settings.held_out is None else _held_out(settings, drawn, deciding, seed=seed)
    return PromptSets(
        deciding=deciding.first(settings.num_prompts),
        final=None if settings.final_prompts is None else deciding,
        held_out=held_out,
    )


def shown_captions(settings: ValidationSettings, /, *, seed: int, num: int) -> list[str]:
    """Captions of the first prompts that decide, `num` of them where there are so many.

    Raises:
        UserError: The file cannot be read, or has too few captions.
    """
    prompts = draw_prompts(replace(settings, held_out=None, held_out_captions=None), seed=seed).deciding.prompts
    return [prompt.caption for prompt in prompts[:num]]


def _held_out(
    settings: ValidationSettings, drawn: ValidationSet, deciding: ValidationSet, /, *, seed: int
) -> ValidationSet:
    num, path = settings.held_out, settings.held_out_captions
    assert num is not None
    decides = {prompt.caption for prompt in deciding.prompts}
    if path is not None:
        captions = read_captions(path)
        candidates = ValidationSet.from_captions(captions, seed=seed, chunk_size=settings.chunk_size).prompts
        if shared := sorted({prompt.caption for prompt in candidates} & decides):
            raise UserError(
                f"captions that are held out must not decide, but {len(shared)} of {path} are among the "
                f"{len(deciding.prompts)} of {settings.captions} that do: {_named(shared)}; take them out of one"
            )
        room, where = len(candidates), str(path)
    else:  # of a caption that stands several times one might decide
        times = Counter(prompt.caption for prompt in drawn.prompts)
        candidates = tuple(p for p in reversed(drawn.prompts) if times[p.caption] == 1 and p.caption not in decides)
        room = len(candidates)
        where = f"{settings.captions}, beside {len(deciding.prompts)} that decide and those that stand more than once,"
    if room < num:
        raise UserError(
            f"`validation.held_out` is {num}, but {where} holds {room} captions; add captions, ask for fewer, or name "
            "another file in `validation.held_out_captions`"
        )
    return ValidationSet(prompts=candidates[:num], chunk_size=settings.chunk_size)


def _named(captions: Sequence[str]) -> str:
    more = f" and {len(captions) - _MANY} more" if captions[_MANY:] else ""
    return ", ".join(map(repr, captions[:_MANY])) + more
