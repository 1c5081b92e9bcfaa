"""A run as TensorBoard events: scalars by round and by training step, and pictures by round."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image

from latency.exporters.extras import load_extra
from nas.runs.run import Run
from nas.runs.trace import time_of
from search_spaces.files.durable.disk import storage_errors

NUM_PICTURES: Final = 8  # of a round


def write_tensorboard(run: Run, out: Path, /) -> Iterator[tuple[Path, str]]:
    """Write an event file to a folder that has none.

    Raises:
        MissingExtraError: TensorBoard is not installed.
        StorageError: The disk refuses.
    """
    events = load_extra("tensorboard.compat.proto.event_pb2", extra="tensorboard")
    summaries = load_extra("tensorboard.compat.proto.summary_pb2", extra="tensorboard")
    writing = load_extra("tensorboard.summary.writer.event_file_writer", extra="tensorboard")
    times = _times(run)
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        writer = writing.EventFileWriter(str(out), filename_suffix=".nas")
        num = 0
        for step, time, value in _values(run, times, summaries.Summary):
            writer.add_event(events.Event(step=step, wall_time=time, summary=summaries.Summary(value=[value])))
            num += 1
        writer.close()
    yield out, f"{num:,} values; tensorboard --logdir {out}"


def _times(run: Run) -> dict[int, float]:
    """Unix seconds at which each round was decided, or last heard of."""
    times: dict[int, float] = {}
    for event in run.events:
        if (time := time_of(event)) is not None and isinstance(event.get("round"), int):
            times[event["round"]] = time
    return times


def _values(run: Run, times: dict[int, float], kinds: Any) -> Iterator[tuple[int, float, Any]]:
    score, last = run.score, run.last_time or 0.0
    config = json.dumps(run.config, indent=2, default=str)
    yield 0, last, _text("config", f"```\n{config}\n```", kinds)
    for row in run.rounds().to_dict(orient="records"):
        number, time = row["round"], times.get(row["round"], last)
        yield number, time, kinds.Value(tag="round/predicted_latency_ms", simple_value=row["predicted_latency_ms"])
        yield number, time, kinds.Value(tag="round/num_params", simple_value=row["num_params"])
        for name in (score, f"{score}_low", f"{score}_high"):
            yield number, time, kinds.Value(tag=f"round/{name}", simple_value=row[name])
    for row in run.training().to_dict(orient="records"):
        yield (
            row["global_step"],
            times.get(row["round"], last),
            kinds.Value(tag="training/loss", simple_value=row["loss"]),
        )
    own = run.pictures(actions=[None])
    for row in own[own.groupby("round").cumcount() < NUM_PICTURES].to_dict(orient="records"):
        try:
            with Image.open(BytesIO(row["png"]), formats=["PNG"]) as picture:
                width, height = picture.size
        except (OSError, SyntaxError):  # a damaged picture is left out, as Pillow says it
            continue
        image = kinds.Image(height=height, width=width, colorspace=3, encoded_image_string=row["png"])
        tag = f"pictures/{row['prompt_id']} {row['caption']}"
        yield row["round"], times.get(row["round"], last), kinds.Value(tag=tag, image=image)


def _text(tag: str, text: str, kinds: Any) -> Any:
    return load_extra("tensorboard.plugins.text.summary_v2", extra="tensorboard").text_pb(tag, text).value[0]
