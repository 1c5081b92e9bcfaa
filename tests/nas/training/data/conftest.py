"""An encoder of the bundled model's parts for small pictures."""

import pytest

from nas.pipelines.folder import PipelineParts
from nas.training.data.encoding import Encoder

SIZE_PX = (16, 16)


@pytest.fixture
def encoder(parts: PipelineParts) -> Encoder:
    return Encoder(load=lambda: parts, digest="bundled", size_px=SIZE_PX, batch_size=4)
