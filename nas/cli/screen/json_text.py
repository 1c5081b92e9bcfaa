"""What commands say as JSON: plain values in which every number is one, as readers other than Python's demand."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any


def json_text(value: Any, /) -> str:
    """Plain values as JSON; a number that is none, or has no end, is null, and what JSON does not know is its text."""
    return json.dumps(_finite(value), indent=2, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if isfinite(value) else None
        case Mapping():
            return {str(key): _finite(part) for key, part in value.items()}
        case list() | tuple():
            return [_finite(part) for part in value]
        case _:
            return value
