"""What is compared, and by what means: one value in the work folder, so that every process reads the same."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, Self

from nas.training.skipping.settings import Skipping, StrategyName
from search_spaces.files.durable.writing import write_text
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.user_error import UserError

RAMP: Final = 0.5  # share of the training over which the ramped ones rise
RATES: Final = (0.05, 0.1, 0.2)
CASES: Final[dict[str, Skipping]] = {
    "0": Skipping(probability=0.0),
    **{f"{rate:g}": Skipping(probability=rate) for rate in RATES},
    **{f"{rate:g} ramped": Skipping(probability=rate, ramp=RAMP) for rate in RATES},
    "sandwich": Skipping(strategy=StrategyName.SANDWICH, probability=0.1),
}
_FILE: Final = "study.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All that a run of the study depends on beside its case and seed.

    Attributes:
        unet: UNet folder to start from, which knows no skipping yet.
        pipeline: Folder of the other parts.
        clip: OpenCLIP folder of the judge.
        captions: File of held-out captions.
        pictures: Folder of captioned pictures to train on.
        steps: Training steps with skipping.
        recovery_steps: Training steps without, after a removal.
        batch_size: Pictures per step.
        learning_rate: AdamW's peak.
        num_prompts: Captions that every UNet is judged on.
        chunk_size: Prompts that are drawn at once.
        sampling_steps: Denoising steps per picture.
        guidance: Of the sampling.
        num_removals: Single removals that are scored, evenly from all of them.
        num_recovered: How many of these are trained after the removal, evenly from them.
        found_share: Multiply-accumulates that the found architecture has, of all.
        device: Where everything runs.
    """

    unet: str
    pipeline: str
    clip: str
    captions: str
    pictures: str
    steps: int
    recovery_steps: int
    batch_size: int
    learning_rate: float
    num_prompts: int
    chunk_size: int
    sampling_steps: int
    guidance: float
    num_removals: int
    num_recovered: int
    found_share: float
    device: str

    def write(self, work: Path, /) -> None:
        """Let the study stand in its work folder.

        Raises:
            UserError: Another one stands there.
        """
        path = work / _FILE
        if path.exists() and (before := Study.read(work)) != self:
            changed = {
                field.name: (getattr(before, field.name), getattr(self, field.name))
                for field in fields(self)
                if getattr(before, field.name) != getattr(self, field.name)
            }
            raise UserError(f"{path} must be of this study, but differs (there, here): {changed}; give another --work")
        write_text(path, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, work: Path, /) -> Self:
        """The study of a work folder."""
        return cls(**read_json_object(work / _FILE))


def evenly(values: list[str], num: int, /) -> list[str]:
    """So many of the values, from all along the list; all where there are no more."""
    num = min(num, len(values))
    return [values[index * len(values) // num] for index in range(num)]
