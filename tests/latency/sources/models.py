"""A base model that measures in milliseconds."""

from latency.blocks.models import LatencyModel
from tests.latency.conftest import ONE_STAGE
from tests.latency.strategies import TOKENS


def one_stage_model() -> LatencyModel:
    return LatencyModel(name="one stage", config=dict(ONE_STAGE), folder=None, context_tokens=TOKENS)
