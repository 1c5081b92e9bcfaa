"""Configs of everything but a search: distillations, pipelines with their stages, sweeps, evaluations.

A config is read, or refused in few words that name its file or the stage that it is of. Nothing is trained or drawn.
"""

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import yaml
from PIL import Image

from experiments.fuzz.case import Case
from experiments.fuzz.damaged_yaml import TEXTS, as_yaml, changed, check_words, read_as_file, stray_bytes
from nas.curves.asked.captions import captions_of
from nas.curves.asked.ranges import numbers, whole_numbers
from nas.curves.asked.reading import made_of, read_values
from nas.distillation.decoder.job import find_decoder, load_decoder_config
from nas.distillation.steps.job import find_steps, load_steps_config
from nas.stages.doing import ready
from nas.stages.outcome import Outcome, read_receipt, write_receipt
from nas.stages.pipeline import load_pipeline_settings
from nas.sweeps.devices import device_runs
from nas.sweeps.settings import read_sweep
from search_spaces.files.user_error import UserError

_EXPERIMENTS: Final = Path(__file__).parents[1]
_FOUND: Final = 0.05  # share of configs whose models, captions and pictures are looked for
_PLACES: Final = ("the stage ", "`", " /")  # of a setting that cannot be had, or of what the file names
_RANGES: Final = ("1,2", "1:10:0.5", "", ",", "1:2", "1:2:0", "1:1e9:1", "nan", "inf", "1:inf:1", "x", "-1", "1e400",
                  "9" * 5000, "1:2:3:4", "0x10", "1_0", "\x00", "1:1e-9:1e-30", "1e999999:2:1")  # fmt: skip
_STEP_LISTS: Final = ("1,2", "8,8,8", "1.5", "0", "-3", "1e30", "", "nan")


def inputs(seed: int, num: int) -> Iterator[Case]:
    """So many configs."""
    dice = random.Random(seed)
    for number in range(num):
        kind = dice.choice(tuple(_KINDS))
        name, run = _KINDS[kind](dice)
        yield Case(f"{number} {kind} {name}", run)


Made = tuple[str, Callable[[], None]]


def _of_yaml(base: str, read: Callable[[Path], object], dice: random.Random) -> Made:
    """One of the shipped configs after an accident, read by what reads it."""
    config = yaml.safe_load((_EXPERIMENTS / base).read_text(encoding="utf-8"))
    match dice.randrange(6):
        case 0:
            index = dice.randrange(len(TEXTS))
            name, data = f"text {index}", TEXTS[index]
        case 1:
            name, data = stray_bytes(as_yaml(config), dice)
        case _:
            name, damaged = changed(config, dice)
            data = as_yaml(damaged)
    return name, partial(read_as_file, data, read, names=_PLACES)


def _steps(dice: random.Random) -> Made:
    return _of_yaml("distillation/steps.yaml", partial(_read_steps, finds=dice.random() < _FOUND), dice)


def _read_steps(path: Path, *, finds: bool) -> None:
    config = load_steps_config(path)
    if finds:
        find_steps(replace(config, training=replace(config.training, pictures=_pictures())), path.parent / "out")


def _decoder(dice: random.Random) -> Made:
    return _of_yaml("distillation/decoder.yaml", partial(_read_decoder, finds=dice.random() < _FOUND), dice)


def _read_decoder(path: Path, *, finds: bool) -> None:
    config = load_decoder_config(path)
    if finds:
        find_decoder(config, path.parent / "out")


# ----------------------------------------------------------------------------------------------------------- pipelines
def _pipeline(dice: random.Random) -> Made:
    return _of_yaml("pipeline.yaml", _read_pipeline, dice)


def _read_pipeline(path: Path) -> None:
    """The pipeline, and its stages as far as their settings; the configs that they name are the shipped ones."""
    settings = load_pipeline_settings(path)
    outcomes: dict[str, Outcome] = {}
    for name, stage in settings.stages.items():
        try:
            kind = settings.kind(name)
            ready(stage, kind=kind, folder=_EXPERIMENTS, outcomes=outcomes, say=lambda line: None, commit=str)
        except UserError as error:
            raise UserError(f"the stage {name}: {error}") from error  # as a pipeline says it
        directory = path.parent / name
        outcomes[name] = Outcome(
            directory=directory, folder=directory, digest="0", num_steps=None, seconds=0.0, is_new=True
        )


def _receipt(dice: random.Random) -> Made:
    """What a stage left: read, or taken for not done."""
    name, document = changed({"folder": "run", "digest": "x" * 64, "num_steps": 8, "seconds": 1.5}, dice)
    data = dice.choice((as_yaml(document), _json(document), dice.choice(TEXTS)))
    return f"{name} {len(data)}", partial(_read_receipt, data)


def _read_receipt(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        (directory / "run").mkdir()
        (directory / "run" / "curves.json").write_text("{}")
        made = write_receipt(directory, folder=directory / "run", num_steps=8, what={}, began=0.0)
        assert read_receipt(directory) is not None
        (receipt,) = (path for path in directory.iterdir() if path.is_file())
        receipt.write_bytes(data.replace(b"x" * 64, made.digest.encode()))
        read_receipt(directory)


# ------------------------------------------------------------------------------------------------- sweeps, evaluations
_SWEEP: Final[Mapping[str, Any]] = {
    "experiment": str(_EXPERIMENTS / "demo.yaml"),
    "ranges": {"search.removals_per_round": {"whole": [1, 4]}, "robust_training.learning_rate": {"choices": [0.001]}},
    "overrides": ["seed=1"],
    "num_trials": 2,
    "seed": 0,
}
_EVALUATION: Final[Mapping[str, Any]] = {
    "clip": {"model": "shapes"},
    "captions": "shapes",
    "num_captions": 4,
    "steps": [8],
    "schedulers": ["DDIMScheduler"],
    "guidance": [2.0, 4.0],
    "baselines": False,
    "features": "shapes",
    "metrics": [],
    "execution": {"device": "cpu"},
    "seed": 0,
}
_COCO: Final[Mapping[str, Any]] = {
    "images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "2.png"}],
    "annotations": [{"image_id": 1, "caption": "a"}, {"image_id": 1, "caption": "b"}, {"image_id": 2, "caption": "c"}],
}


def _sweep(dice: random.Random) -> Made:
    name, damaged = changed(_SWEEP, dice)
    data = as_yaml(damaged) if dice.random() < 0.8 else dice.choice(TEXTS)
    return f"{name} {len(data)}", partial(read_as_file, data, read_sweep, names=_PLACES)


def _evaluation(dice: random.Random) -> Made:
    name, damaged = changed(_EVALUATION, dice)
    data = as_yaml(damaged) if dice.random() < 0.8 else dice.choice(TEXTS)
    return f"{name} {len(data)}", partial(read_as_file, data, _read_evaluation, names=_PLACES)


def _read_evaluation(path: Path) -> None:
    settings = made_of(read_values(path), name=str(path))
    assert settings.protocols()
    if settings.captions is not None:
        assert all(captions_of(settings, reader=None))


def _captions(dice: random.Random) -> Made:
    """MS-COCO's annotations, whose first caption of each picture `nas evaluate` takes."""
    name, damaged = changed(_COCO, dice)
    data = _json(damaged) if dice.random() < 0.8 else stray_bytes(_json(_COCO), dice)[1]
    return f"{name} {len(data)}", partial(_read_captions, data)


def _read_captions(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "captions.json")
        path.write_bytes(data)
        settings = made_of({**_EVALUATION, "captions": str(path), "num_captions": 2, "clip": {"model": "x"}}, name="x")
        try:
            captions = captions_of(settings, reader=None)
        except UserError as error:
            check_words(error, names=(str(path),))
            raise
        assert all(caption and caption.encode() for caption in captions)


def _range(dice: random.Random) -> Made:
    """Numbers as they are typed behind `--guidance` and `--steps`."""
    text = ",".join(dice.choice((*_RANGES, *_STEP_LISTS)) for _ in range(dice.randrange(1, 4)))
    read = dice.choice((numbers, whole_numbers))
    return f"{read.__name__} {text!r:.60} {len(text)}", partial(_read_range, text, read)


def _read_range(text: str, read: Callable[..., tuple[float, ...]]) -> None:
    found = read(text, name="--guidance")
    assert 0 < len(found) <= 600


def _devices(dice: random.Random) -> Made:
    """The list of the searches of several devices."""
    name, damaged = changed({"schema_version": 1, "searches": ["a", "b", "best_for_all"]}, dice)
    data = dice.choice((_json(damaged), as_yaml(damaged), dice.choice(TEXTS)))
    return f"{name} {len(data)}", partial(_read_devices, data)


def _read_devices(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "devices.json").write_bytes(data)
        found = device_runs(Path(place))
        assert all(path.parent == Path(place) for path in found.values())


def _json(document: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(dict(document)).encode("utf-8", "surrogatepass")
    except ValueError:  # a whole number too long to be written
        return b'{"huge": ' + b"9" * 5000 + b"}"


@cache
def _pictures() -> Path:
    """Two pictures with captions, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-pictures-"))
    for name in ("0.png", "1.png"):
        Image.new("RGB", (64, 64)).save(folder / name)
    lines = (json.dumps({"file_name": name, "text": "a ring"}) for name in ("0.png", "1.png"))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder


_KINDS: Final[Mapping[str, Callable[[random.Random], Made]]] = {
    "steps": _steps,
    "decoder": _decoder,
    "pipeline": _pipeline,
    "receipt": _receipt,
    "sweep": _sweep,
    "evaluation": _evaluation,
    "captions": _captions,
    "range": _range,
    "devices": _devices,
}
