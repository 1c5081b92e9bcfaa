"""Repositories of the hub, pinned: a run means the commit that it was made with, whatever is pushed later."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from nas.config.loading import stored_config
from nas.config.sections import ExperimentConfig
from nas.pipelines.source import HUB, is_hub_reference, pinned_reference
from nas.runs.directory import is_run

T = TypeVar("T")
Commit = Callable[[str], str]  # gets a reference to a repository, gives it with its commit
# Before runs stored references, they stored where the hub's cache had put the snapshot.
_SNAPSHOT: Final = re.compile(r".*/models--(?P<owner>[^/]+?)--(?P<name>[^/]+)/snapshots/(?P<commit>[0-9a-f]{40})")


def pinned(config: ExperimentConfig, /, *, run: Path | None = None) -> ExperimentConfig:
    """A config whose repositories of the hub are named with their commits.

    A name without a revision means the commit that the run was made with, where there is a run, else the newest one.

    Args:
        config: The config.
        run: Directory of a run that may exist.

    Raises:
        ModelFolderError: A repository that cannot be reached and is not in the cache, or lacks the weights.
        ConfigError: The run's own config cannot be read.
    """
    model, start = str(config.model), config.search.start
    if not is_hub_reference(model) and (start is None or not is_hub_reference(start)):
        return config
    kept = stored_config(run / "config.yaml") if run is not None and is_run(run) else config
    if is_hub_reference(model):
        model = pinned_reference(as_kept(model, str(kept.model)), variant=config.model_variant)
    if start is not None and is_hub_reference(start):
        start = pinned_reference(as_kept(start, kept.search.start), weights=False)
    return replace(config, model=Path(model), search=replace(config.search, start=start))


def as_kept(reference: str, kept: str | None, /) -> str:
    """A reference without a revision, with that of the same repository that was kept; others stay as they are."""
    if kept is None or "@" in reference:
        return reference
    if found := _SNAPSHOT.fullmatch(kept):
        kept = f"{HUB}{found['owner']}/{found['name']}@{found['commit']}"
    return kept if kept.partition("@")[0] == reference else reference


def with_commits(value: T, /, *, commit: Commit) -> T:
    """Settings of any kind whose repositories of the hub are named with their commits, however deep they stand.

    Args:
        value: Settings, or a value in them.
        commit: Asked of every reference to a repository.
    """
    made: T = _with_commits(value, commit)
    return made


def _with_commits(value: Any, commit: Commit) -> Any:
    match value:
        case str() | Path():
            return type(value)(commit(str(value))) if is_hub_reference(value) else value
        case Mapping():
            changed = {name: _with_commits(each, commit) for name, each in value.items()}
            return value if changed == value else changed
        case tuple() | list():
            return type(value)(_with_commits(each, commit) for each in value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            parts = {each.name: getattr(value, each.name) for each in fields(value)}
            now = {name: _with_commits(each, commit) for name, each in parts.items()}
            new = {name: each for name, each in now.items() if each != parts[name]}
            return replace(value, **new) if new else value
        case _:
            return value
