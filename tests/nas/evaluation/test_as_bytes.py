"""Pictures as bytes: white is 255, black 0, and what is no number is black."""

from math import nan

import torch

from nas.evaluation.pictures import as_bytes


def test_every_byte_comes_back_and_channels_stand_last() -> None:
    whole = torch.arange(256).reshape(1, 1, 16, 16).expand(2, 3, 16, 16).float() / 255
    assert (as_bytes(whole) == torch.arange(256).reshape(1, 16, 16, 1).numpy()).all()
    single = torch.tensor([0.0, 1.0, nan]).reshape(1, 3, 1, 1)
    assert as_bytes(single).tolist() == [[[[0, 255, 0]]]]
