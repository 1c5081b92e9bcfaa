"""A commented file of each job to begin with: the repository's own experiments, which every installation carries.

A file that names another (a sweep its search, a pipeline its stages) gets that one written beside it, under its own
name and the job's: `mine.yaml` and `mine-search.yaml`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Final

from nas.algorithms import reranking
from nas.algorithms.settings import EVOLVING
from nas.config.algorithms import algorithm_door
from nas.config.jobs.kinds import JOB_FILES, Job
from nas.config.template import PICTURES, TEMPLATE, Of, Preset, search_text
from nas.settings import described, plain
from search_spaces.files.durable.writing import write_text
from search_spaces.files.strict_yaml import read_yaml
from search_spaces.files.user_error import UserError

HERE: Final = Path(__file__).parent
# Those of experiments/, by links that a wheel replaces by what they name; the search's is the demo's.
SOURCES: Final[Mapping[Job, Path]] = {job: TEMPLATE if job is Job.SEARCH else HERE / f"{job}.yaml" for job in Job}
_WIDTH: Final = 112
_OWN: Final = re.compile(r"experiments/[\w/]*\.yaml")
_PICTURES: Final = re.compile(r"((?:\.\./)*)runs/\w+-pictures")
_WANTED: Final = re.compile(rf"^[^#\n]*\b{PICTURES}", re.MULTILINE)
_NAMED: Final = re.compile(r"^( *(?:experiment|config): )(?:\w+/)?(\w+)\.yaml$", re.MULTILINE)
_SEARCHES: Final = (Of.SEARCH, Of.TRAIN, Of.DEVICES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written, and what to do with it.

    Attributes:
        files: The file itself, then those that it names.
        pictures: Where it wants pictures; None where it wants none.
        command: What runs it.
    """

    files: tuple[Path, ...]
    pictures: Path | None
    command: str


def write_job(
    file: Path, /, *, of: Of = Of.SEARCH, preset: Preset = Preset.OURS, algorithm: str | None = None
) -> Written:
    """Write a commented file that works as it stands, on the bundled model.

    Args:
        file: Where to; must not exist.
        of: Whose file.
        preset: By what a search decides.
        algorithm: Of a search, with all of its own settings; None = Algorithm 1, with what is often set.

    Raises:
        UserError: Something stands there already, there is no such folder, or these do not go together.
        StorageError: The disk refuses.
    """
    if of not in _SEARCHES and (preset is not Preset.OURS or algorithm is not None):
        raise UserError(f"`--preset` and `--algorithm` are of a search, but the file is of `{of}`; leave them out")
    if preset is not Preset.OURS and algorithm not in (None, EVOLVING):
        raise UserError(
            f"the preset {preset} is of Algorithm 1 (`{EVOLVING}`), but `--algorithm` is {algorithm}; give one of them"
        )
    texts = dict(_texts(file, of, preset=preset, algorithm=algorithm))
    if not file.parent.is_dir():
        raise UserError(f"there is no folder {file.parent} to write {file.name} to; make it first")
    for path in texts:
        if path.exists() or path.is_symlink():
            raise UserError(f"{path} must be free, but something stands there; give another name, or remove it")
    for path, text in texts.items():
        write_text(path, text)
    command = "nas train" if of is Of.TRAIN else JOB_FILES[_job(of)].command.replace("FOLDER", "shapes")
    return Written(
        files=tuple(texts),
        pictures=file.parent / PICTURES if any(map(_WANTED.search, texts.values())) else None,
        command=f"{command} {file}",
    )


def algorithm_text(name: str, /) -> str:
    """The lines of a search's file that say its algorithm, with every setting of it, its default and its meaning.

    Args:
        name: Of the algorithm, as `nas plugins` lists them.

    Raises:
        UserError: There is no such algorithm, or it is no search from a file.
    """
    kind = algorithm_door().find(name)
    if name == reranking.KIND.declaration.name:
        raise UserError(f"{name} ranks again what a search has scored: `nas rerank RUN` does; give another algorithm")
    said, is_first = kind.declaration, name == EVOLVING
    indent, given = ("  ", read_yaml(TEMPLATE)["search"]) if is_first else ("    ", {})
    about = (f"For {said.use}." if said.use else "", f"From {said.paper}.", f"Costs {said.cost}.")
    lines = [line for each in about for line in _comment(each, "  ")]
    lines += [f"  algorithm: {name}", *([] if is_first else ["  settings:"])]
    for setting, info in described(kind.settings).items():
        lines += _comment(info.description or "", indent)
        if info.is_required():
            lines.append(f"{indent}# {setting}: ...  (must be given)")
        else:
            value = given.get(setting, plain(info.get_default(call_default_factory=True)))
            is_word = isinstance(value, str) and value.isidentifier()
            lines.append(f"{indent}{setting}: {value if is_word else json.dumps(value)}")
    return "\n".join(lines) + "\n"


def _comment(text: str, indent: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _job(of: Of) -> Job:
    return Job.SEARCH if of in _SEARCHES else Job(of)


def _texts(file: Path, of: Of, *, preset: Preset, algorithm: str | None) -> Iterator[tuple[Path, str]]:
    """The file and those that it names, with what they hold."""
    if of in _SEARCHES:
        own = None if algorithm is None else algorithm_text(algorithm)
        yield file, search_text(preset=preset, trains=of is Of.TRAIN, has_devices=of is Of.DEVICES, own=own)
        return
    named = dict[str, Job]()

    def beside(found: re.Match[str]) -> str:
        job = Job.SEARCH if found[2] == "demo" else Job(found[2])
        named[name := f"{file.stem}-{job}.yaml"] = job
        return f"{found[1]}{name}"

    yield file, _placed(_NAMED.sub(beside, SOURCES[Job(of)].read_text(encoding="utf-8")), file)
    for name, job in named.items():
        path = file.with_name(name)
        yield path, search_text(trains=True) if job is Job.SEARCH else _placed(SOURCES[job].read_text("utf-8"), path)


def _placed(text: str, file: Path) -> str:
    """An experiment's text with the user's names: of the file itself, and of pictures beside it."""
    text = _OWN.sub(lambda found: str(file), text)
    return _PICTURES.sub(lambda found: f"./{PICTURES}" if found[1] else str(file.parent / PICTURES), text)
