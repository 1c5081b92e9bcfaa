"""What scores depend on, and what a store's columns may be called."""

import reprlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from nas.scores.prompts import Prompt
from search_spaces.files.digests import digest_of
from search_spaces.files.user_error import UserError

CLIP_COLUMN: Final = "clip"  # of the scores of every run that names no other
UNKNOWN_MAKER: Final = ""  # of scores that were kept before a store knew what makes them
PROMPT_COLUMNS: Final = {"prompt_id": pa.string(), "caption": pa.string(), "noise_seed": pa.int64()}
KEY_COLUMNS: Final = {
    "weights_digest": pa.string(),
    "arch_id": pa.string(),
    "protocol_digest": pa.string(),
    "prompts_digest": pa.string(),
    "made_by": pa.string(),
}

# Names of columns beside a score's own, here and in the frames of a run (`d_latency_ms` of a score `latency_ms`).
RESERVED: Final = frozenset(KEY_COLUMNS | PROMPT_COLUMNS) | {
    "round", "predicted_latency_ms", "num_prompts", "num_params", "actions", "latency_ms",
}  # fmt: skip


class ScoreStoreError(UserError):
    """A folder that is no store of this schema, or scores that it cannot keep."""


class ScoreStoreWarning(UserWarning):
    """Something damaged in a store was set aside or left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreKey:
    """What the scores of one architecture's chunk depend on.

    Attributes:
        weights_digest: Of the weights.
        arch_id: Of the architecture.
        protocol_digest: Of how pictures are made and judged.
        prompts_digest: Of the chunk's prompts in their order.
        made_by: What made them: versions and the kind of machine. Scores of different makers are never paired.
    """

    weights_digest: str
    arch_id: str
    protocol_digest: str
    prompts_digest: str
    made_by: str = UNKNOWN_MAKER


def name_flaw(score: str, /) -> str:
    """What is wrong with the name of a score, which names a column; "" where nothing is."""
    if score.isidentifier() and score not in RESERVED:
        return ""
    return f"must be an identifier and none of {', '.join(sorted(RESERVED))}, but is {reprlib.repr(score)}"


def columns_of(score: str, /) -> pa.Schema:
    """Columns of a store's frame of a score.

    Raises:
        ScoreStoreError: No column can have the score's name.
    """
    if wrong := name_flaw(score):
        raise ScoreStoreError(f"the name of a score {wrong}; rename the score")
    return pa.schema(KEY_COLUMNS | PROMPT_COLUMNS | {score: pa.float64()})


def chosen_columns(score: str, columns: Sequence[str] | None, /) -> list[str]:
    """The columns that are asked for; None = all.

    Raises:
        ScoreStoreError: There is no such column.
    """
    known = columns_of(score).names
    names = known if columns is None else list(columns)
    if strangers := [name for name in names if name not in known]:
        raise ScoreStoreError(f"scores have the columns {', '.join(known)}, but got {', '.join(strangers)}")
    return names


def several(wanted: str | Collection[str], /) -> Collection[str] | None:
    """Several values of a key; None = all."""
    if isinstance(wanted, str):
        return None if wanted == "*" else {wanted}
    return set(wanted)


def digest_of_prompts(prompts: Sequence[Prompt], /) -> str:
    """Short digest of a chunk's prompts: their ids in order."""
    return digest_of({"prompts": [prompt.prompt_id for prompt in prompts]})
