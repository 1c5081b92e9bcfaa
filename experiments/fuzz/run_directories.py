"""Run directories that were edited, torn or mixed up: trace, spec, configs, environment, scores, checkpoints.

Every case is a copy of one small run with one file damaged, and is read by all that reads this file: `nas status`,
frames, replaying, continuing, exporting, starting from it. It is read, or refused by an error that names the file or
its run.
"""

import io
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import torch
import yaml

from experiments.fuzz.case import Case
from nas.cli.screen.formats import Format
from nas.cli.status import status
from nas.config.loading import stored_config, stored_values
from nas.export.source import source_of_run
from nas.pipelines.model_folder import ModelFolder
from nas.references.start import find_start
from nas.runs.directory import RunDirectory
from nas.runs.run import open_run
from nas.runs.spec import read_spec
from nas.runs.trace import Trace, read_trace
from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore
from search_spaces.architecture import Architecture
from search_spaces.files.user_error import UserError
from search_spaces.shapes import PIPELINE_DIR
from search_spaces.unets.diffusers_config import space_from_config

_ROOT: Final = Path(__file__).parents[2]
_GOLDENS: Final = _ROOT / "tests" / "nas" / "runs" / "goldens"
_ODD: Final[tuple[Any, ...]] = (
    None, True, False, "", "x", "x" * 5000, "a/b", "../../x", "\x1b[31m", "[/x]", "\udc00", [], [[]], {}, [None],
    {"a": 1}, ["x"] * 50, {"mean": 1}, -1, 0, 1, 2, 999, 0.5, -0.0, 1e300, 10**30, 10**400, float("inf"), float("nan"),
)  # fmt: skip
_BYTES: Final = (
    b"", b"\n", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"[1]", b"1", b"null", b"{}", b"a: [", b'{"a": 1, "a": 2}',
    b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100 + b"]" * 100, b'{"event": 5}\n', b'{"event": "evaluation"}\n',
    b'{"event": ["x"]}\n', b'{"event": "search_started"}\n', b"9" * 5000, b'{"schema_version": 1}', b"x" * 100_000,
)  # fmt: skip


def inputs(seed: int, num: int) -> Iterator[Case]:
    """Damaged run directories, the same for the same seed."""
    rng = random.Random(seed)
    kinds: tuple[tuple[str, Reading], ...] = (
        ("trace.jsonl", _read_trace),
        ("trace.jsonl", _read_trace),
        ("architecture.json", _read_spec),
        ("architecture.json", _read_spec),
        ("config.yaml", _read_configs),
        ("earlier/config-000.yaml", _read_configs),
        ("environment.json", _read_configs),
        ("scores/store.json", _read_scores),
        (_FORMER_SCORES, _read_scores),
        (_SCORES, _read_scores),
        (_WEIGHTS, _read_weights),
        (_CHECKPOINT, _read_weights),
    )
    for number in range(num):
        file, read = kinds[number % len(kinds)]
        damage = rng.choice((_edited, _edited, _edited, *_DAMAGES) if file.endswith(_TEXTS) else _DAMAGES)
        yield Case(
            f"{number:06d}-{file.replace('/', ':')}-{damage.__name__.strip('_')}",
            partial(_case, file, damage, read, rng.getrandbits(64)),
        )


def _case(file: str, damage: "Damage", read: "Reading", seed: int) -> None:
    """Damage one file of a copy of the run, and read it by all that reads it; the first refusal is raised again."""
    rng, base, refused = random.Random(seed), _base(), list[Exception]()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        shutil.copytree(base, run, copy_function=os.link)
        path = run / sorted(base.glob(file))[0].relative_to(base)
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(damage(content, rng))
        with redirect_stdout(io.StringIO()):
            for action in read(run):
                try:
                    action()
                except (UserError, OSError) as error:
                    if str(run) not in str(error):
                        raise AssertionError(f"the message does not name the file: {error}") from error
                    refused.append(error)
    if refused:
        raise refused[0]


Reading = Callable[[Path], Iterator[Callable[[], object]]]


def _read_trace(run: Path) -> Iterator[Callable[[], object]]:
    found = open_run(run)
    yield lambda: read_trace(run / "trace.jsonl")
    yield from (found.rounds, found.evaluations, found.scores, found.__repr__)
    yield from (partial(getattr, found, name) for name in ("is_finished", "score"))
    form = [*Format][(run / "trace.jsonl").stat().st_size % len(Format)]  # one of them: it reads all again
    yield partial(status.__wrapped__, run, form)  # type: ignore[attr-defined]
    yield lambda: source_of_run(run)
    yield lambda: _replay(run)


def _replay(run: Path) -> None:
    trace = Trace(run / "trace.jsonl")
    for line in (_base() / "trace.jsonl").read_text().splitlines():
        event = json.loads(line)
        runtime, name = event.pop("runtime"), event.pop("event")
        trace.emit(name, runtime=runtime, fields=event)


def _read_spec(run: Path) -> Iterator[Callable[[], object]]:
    model = ModelFolder(PIPELINE_DIR)
    base = space_from_config(model.unet_config()).base
    yield lambda: read_spec(run / "architecture.json")
    yield lambda: open_run(run).spec
    yield lambda: source_of_run(run)
    yield lambda: find_start(str(run), model=model, space_base=base)


def _read_configs(run: Path) -> Iterator[Callable[[], object]]:
    config = stored_values(_base() / "config.yaml")
    yield lambda: open_run(run).config
    yield from (partial(stored_config, run / name) for name in ("config.yaml", "earlier/config-000.yaml"))
    yield lambda: _continue(run, config)


def _continue(run: Path, config: dict[str, Any]) -> None:
    directory = RunDirectory(run)
    with directory.opened(config, may_follow=lambda old: None, read=stored_values):
        directory.keep_config(config, read=stored_values)


def _read_scores(run: Path) -> Iterator[Callable[[], object]]:
    yield lambda: open_run(run).scores()
    yield lambda: ScoreStore.existing(run / "scores")
    yield lambda: RunDirectory(run).scores.frame()


def _read_weights(run: Path) -> Iterator[Callable[[], object]]:
    weights = RunDirectory(run).weights
    yield lambda: weights.read(0, digest="0123456789abcdef")
    yield lambda: weights.read(0, made_from={"parent": ""})
    yield weights.checkpoints


Damage = Callable[[bytes, random.Random], bytes]
_TEXTS: Final = ("json", "jsonl", "yaml")
_FORMER_SCORES: Final = "scores/*/*.scores.parquet"
_SCORES: Final = "scores/*/scores.jsonl"
_WEIGHTS: Final = "weights/*.safetensors"
_CHECKPOINT: Final = "checkpoints/round-000/weights.json"


def _edited(content: bytes, rng: random.Random) -> bytes:
    """One value of a document, or of a line of a log, replaced, removed, renamed or wrapped."""
    lines = content.decode().split("\n")
    is_log = lines[0].startswith('{"event"') or '"seal"' in lines[0]
    number = rng.randrange(len(lines) - 1) if is_log else 0
    document = yaml.safe_load(lines[number] if is_log else content)
    holders = [document]
    for holder in holders:
        parts = holder.values() if isinstance(holder, dict) else holder
        holders.extend(part for part in parts if isinstance(part, (dict, list)) and part)
    holder = rng.choice(holders[: rng.choice((1, 3, len(holders)))])
    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    match rng.randrange(6):
        case 0:
            del holder[key]
        case 1:
            holder[key] = [holder[key]]
        case 2 if isinstance(holder, dict):
            holder[str(rng.choice(_ODD))[:50]] = holder.pop(key)
        case _:
            holder[key] = rng.choice(_ODD)
    text = json.dumps(document)  # which is YAML too
    return "\n".join([*lines[:number], text, *lines[number + 1 :]]).encode() if is_log else text.encode()


def _flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 20))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _spliced(content: bytes, rng: random.Random) -> bytes:
    """Something inserted, or a piece doubled or left out."""
    start, end = sorted(rng.choices(range(len(content)), k=2))
    return content[:start] + rng.choice((rng.choice(_BYTES), content[start:end] * 2, b"")) + content[end:]


def _replaced(content: bytes, rng: random.Random) -> bytes:
    return rng.choice(_BYTES)


_DAMAGES: Final[tuple[Damage, ...]] = (_flipped, _cut, _spliced, _replaced)


@cache
def _base() -> Path:
    """The run of the goldens as this machine would have made it, with a checkpoint."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-runs-"))
    run = folder / "run"
    shutil.copytree(_GOLDENS / "run_0_1_0", run)
    for name in ("table.json", "captions.txt"):
        shutil.copy(_GOLDENS / f"run_0_1_0_{name}", folder / name)
    for path in (run / "earlier" / "config-000.yaml", run / "config.yaml"):
        text = path.read_text(encoding="utf-8").replace("{repository}", str(_ROOT)).replace("{experiment}", str(folder))
        path.write_text(text, encoding="utf-8")
    (run / "environment.json").write_text(json.dumps({"libraries": {"snapfusion-nas": "0.1.0"}}), encoding="utf-8")
    architecture = Architecture.from_json((run / "architecture.json").read_text(encoding="utf-8"))
    weights = {"a": torch.arange(6.0).reshape(3, 2), "b": torch.arange(4)}
    for number in (0, 1):
        RunDirectory(run).weights.write(number, architecture=architecture, weights=weights)
    _keep_scores(run)
    return run


def _keep_scores(run: Path) -> None:
    """Scores as they are kept today, beside those of 0.1.0: of the same weights, as another machine made them."""
    store = RunDirectory(run).scores
    frame = store.frame()
    names = ("weights_digest", "arch_id", "protocol_digest", "prompts_digest")
    for values, rows in frame.groupby(list(names)):
        key = ScoreKey(**dict(zip(names, map(str, values), strict=True)), made_by="another machine")
        texts = zip(rows["caption"], rows["noise_seed"], strict=True)
        prompts = [Prompt(caption=caption, noise_seed=int(seed)) for caption, seed in texts]
        store.put(key, prompts=prompts, scores=rows["clip"].tolist())
