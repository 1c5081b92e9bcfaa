"""One scoring, many devices: a search per latency table, and one for all of them, over one store of scores.

    FOLDER/devices.json        the names of the searches, and of which table each is
    FOLDER/scores/             what they share: what one has drawn, no other draws again
    FOLDER/NAME/               a run like any other, of each device; `best_for_all` is by the slowest device

The same command on the same folder continues it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Final

from nas.config.experiment import Experiment
from nas.config.loading import given_config
from nas.config.places.absolute_paths import absolute_path, with_absolute_paths
from nas.config.resolving import resolve
from nas.config.sections import FASTEST, ExperimentConfig, LatencySourceSettings
from nas.runs.directory import RunDirectory
from nas.search.driver import search
from nas.search.progress import NOBODY, Listeners
from search_spaces.files.durable.places import check_own, sweep_beside
from search_spaces.files.durable.writing import write_text
from search_spaces.files.paths import local_path
from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.files.user_error import UserError

BEST_FOR_ALL: Final = "best_for_all"
INDEX: Final = "devices.json"
SCORES: Final = "scores"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSearch:
    """The search for one device, or for all of them.

    Attributes:
        name: Of the device: its table's file, without the ending; or `best_for_all`.
        config: Of a search like any other.
    """

    name: str
    config: ExperimentConfig


def device_searches(config: ExperimentConfig, /, *, scores: Path) -> tuple[DeviceSearch, ...]:
    """The searches that a config with `search.devices` stands for; the one for all devices is the last.

    Args:
        config: With `latency_table`, which is the first device's, and `search.devices`, the others'.
        scores: The store that they share, unless the config names one.

    Raises:
        ValueError: It names no further device or the same twice, or its target is not the same share for all.
    """
    search, source = config.search, config.latency_source
    if not search.devices:
        raise UserError("`search.devices` must name the latency tables of further devices, but is empty")
    if config.latency_table is None:
        raise UserError(
            f"with `search.devices`, `latency_table` is the first device's table, but the config has the source "
            f"{source.name!r}; name a table"
        )
    absolute = [target for target in search.targets if target != FASTEST and float(target) >= 1]
    if search.target_latency_ms is not None or absolute:
        given = search.target_latency_ms if search.target_latency_ms is not None else absolute
        raise UserError(
            f"with `search.devices` a target is a share of each device's own base model, but got {given} ms; give "
            "`target_ratio`, or `targets` below 1"
        )
    tables = [str(config.latency_table), *search.devices]
    names = [Path(table).stem for table in tables]
    taken = (BEST_FOR_ALL, SCORES, INDEX)
    if twice := sorted({name for name in names if names.count(name) > 1 or name in taken or not _is_name(name)}):
        raise UserError(
            f"each device needs a name of its own, which is that of its table's file, but got {', '.join(twice)} more "
            f"than once; {', '.join(taken)} are taken"
        )
    alone = replace(config, search=replace(search, devices=()), score_store=config.score_store or scores)
    worst = LatencySourceSettings(name="worst_of", settings={"tables": tables})
    return (
        *(
            DeviceSearch(name=name, config=replace(alone, latency_table=Path(table)))
            for name, table in zip(names, tables, strict=True)
        ),
        DeviceSearch(name=BEST_FOR_ALL, config=replace(alone, latency_table=None, latency_source=worst)),
    )


def search_devices(
    config: str | PathLike[str] | ExperimentConfig,
    /,
    *,
    out: str | PathLike[str],
    overrides: tuple[str, ...] = (),
    listeners: Listeners = NOBODY,
    on_device: Callable[[str, Experiment], None] = lambda name, experiment: None,
) -> Path:
    """Search for every device of a config and for all of them, or continue to the end.

    Args:
        config: An experiment with `search.devices`, or the path of its YAML file.
        out: The folder; made when there is none.
        overrides: Settings to change; with a path only.
        listeners: Who is told how each search goes.
        on_device: Called before each search.

    Returns:
        The folder, for `open_devices`.

    Raises:
        ValueError: A config or something that it names breaks a law, which is found before anything is scored.
        StorageError: The disk refuses; the same call continues.
    """
    folder = local_path(out).absolute()
    config = given_config(config, overrides=overrides)
    config = with_absolute_paths(config, absolute=lambda key, given: absolute_path(given, key=key, folder=Path.cwd()))
    searches = device_searches(config, scores=folder / SCORES)
    experiments = {each.name: resolve(each.config, run=folder / each.name) for each in searches}
    check_own(folder, marks=(INDEX,), what="searches for several devices")
    folder.mkdir(parents=True, exist_ok=True)
    _keep_index(folder, list(experiments))
    for name, experiment in experiments.items():
        on_device(name, experiment)
        search(experiment, RunDirectory(folder / name), listeners=listeners)
    return folder


def is_device_folder(path: Path, /) -> bool:
    """Whether a folder holds the searches for several devices."""
    return (path / INDEX).is_file()


def device_runs(folder: Path, /) -> Mapping[str, Path]:
    """The runs of a folder by their device; `best_for_all` is the last.

    Raises:
        UserError: It holds none.
    """
    try:
        names: Any = read_json_object(folder / INDEX)["searches"]
    except (JsonError, OSError, KeyError) as error:
        is_absent = isinstance(error, (FileNotFoundError, NotADirectoryError))
        why = f"there is no {folder / INDEX}" if is_absent else str(error)
        raise UserError(
            f"{folder} holds no searches for several devices ({why}); `nas search` makes such a folder of a config "
            "with `search.devices`"
        ) from None
    if not isinstance(names, list) or not all(map(_is_name, names)) or len(set(names)) < len(names):
        raise UserError(f"`searches` in {folder / INDEX} must be a list of names of folders, but is {names!r:.100}")
    if len(names) < 2 or names[-1] != BEST_FOR_ALL:
        raise UserError(
            f"`searches` in {folder / INDEX} must name devices and then {BEST_FOR_ALL}, but is {names!r:.100}"
        )
    return {name: folder / name for name in names}


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name not in ("", "..") and Path(name).name == name


def _keep_index(folder: Path, names: list[str]) -> None:
    sweep_beside(folder / INDEX)
    if is_device_folder(folder):
        if (old := list(device_runs(folder))) != names:
            raise UserError(
                f"{folder} holds the searches of other devices: {', '.join(old)}; give another --out, or the devices "
                "that it was begun with"
            )
        return
    write_text(folder / INDEX, json.dumps({"schema_version": 1, "searches": names}, indent=2) + "\n")
