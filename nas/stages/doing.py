"""How each kind of stage is done: its settings are read, made whole, and handed to the one call that does it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from nas.config.loading import load_config
from nas.config.pins import Commit, with_commits
from nas.curves.asked.reading import made_of, read_values, with_whole_paths
from nas.pipelines.index import INDEX
from nas.settings import plain
from nas.stages.outcome import Outcome
from nas.stages.settings import REFERENCE, RUN, StageKind, StageSettings, stage_of
from search_spaces.files.paths import is_there
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from nas.curves.points import Curves

Done = tuple[Path, int | None]  # the folder that it gave, and the steps that its UNet learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A stage that can be done.

    Attributes:
        values: Its settings as plain values, paths absolute.
        do: Does it in a directory.
    """

    values: Mapping[str, Any]
    do: Callable[[Path], Done]


def ready(
    stage: StageSettings,
    /,
    *,
    kind: StageKind,
    folder: Path,
    outcomes: Mapping[str, Outcome],
    say: Callable[[str], None],
    commit: Commit,
) -> Ready:
    """Read a stage's settings.

    Args:
        stage: What the pipeline says of it.
        kind: What it does.
        folder: That the pipeline's paths are relative to.
        outcomes: What earlier stages gave.
        say: Hears lines of progress.
        commit: Gives repositories of the hub with the commits that are meant.

    Raises:
        UserError: Its settings break a law, or a file is missing.
    """
    given = {key: _meant(value, folder=folder, outcomes=outcomes) for key, value in stage.set.items()}
    path = None if stage.config is None else folder / stage.config
    if kind is StageKind.EVALUATION:
        models = tuple(
            str(_meant(model_meant(each, folder=folder), folder=folder, outcomes=outcomes)) for each in stage.models
        )
        names = tuple(each.removeprefix(REFERENCE) for each in stage.models)
        models = with_commits(models, commit=commit)
        return _evaluation(path, given, models=models, names=names, folder=folder, commit=commit)
    if stage.models:
        raise UserError("`models` are what an evaluation evaluates; a stage of another kind has them in `set`")
    if path is None:
        raise UserError(f"a stage of kind {kind} must name a `config`, the YAML of its command")
    overrides = [f"{key}={_as_yaml(value)}" for key, value in given.items()]
    return _DOERS[kind](path, overrides, say, commit)


def model_meant(reference: str, /, *, folder: Path) -> str:
    """The model, run or training that a pipeline names, relative to its folder; other names stay as they are."""
    path = folder / reference
    is_one = any(is_there(path / name) for name in (INDEX, "config.yaml", f"pipeline/{INDEX}"))
    return str(path.resolve()) if is_one else reference


def _meant(value: Any, *, folder: Path, outcomes: Mapping[str, Outcome]) -> Any:
    """A setting with references and paths that begin with a dot made absolute."""
    match value:
        case str() if value.startswith(REFERENCE):
            outcome = outcomes[stage_of(value)]
            return str(outcome.directory / RUN if value.endswith(f":{RUN}") else outcome.folder)
        case str() if value.startswith(("./", "../")):
            return str((folder / value).resolve())
        case list() | tuple():
            return [_meant(each, folder=folder, outcomes=outcomes) for each in value]
        case Mapping():
            return {name: _meant(each, folder=folder, outcomes=outcomes) for name, each in value.items()}
        case _:
            return value


def _search(path: Path, overrides: Sequence[str], say: Callable[[str], None], commit: Commit) -> Ready:
    config = with_commits(load_config(path, overrides=overrides), commit=commit)

    def do(directory: Path) -> Done:
        from nas.export.export_run import export_run
        from nas.search.run_search import run_search

        run = directory / RUN
        run_search(config, out=run, on_round=lambda done: say(done.sentence(score=config.score.name)))
        if not (run / "export" / "model_index.json").is_file():
            export_run(run, out=run / "export", measure=False)
        return run / "export", None

    return Ready(values=config.plain(), do=do)


def _training(path: Path, overrides: Sequence[str], say: Callable[[str], None], commit: Commit) -> Ready:
    config = with_commits(load_config(path, overrides=overrides), commit=commit)

    def do(directory: Path) -> Done:
        from nas.robust_training.train import run_training

        return run_training(config, out=directory / RUN), None

    return Ready(values=config.plain(), do=do)


def _steps(path: Path, overrides: Sequence[str], say: Callable[[str], None], commit: Commit) -> Ready:
    from nas.distillation.steps.distil import distill_steps
    from nas.distillation.steps.job import load_steps_config

    config = with_commits(load_steps_config(path, overrides=tuple(overrides)), commit=commit)

    def do(directory: Path) -> Done:
        done = distill_steps(config, out=directory / RUN)
        return done.folder, done.num_steps

    return Ready(values=plain(config), do=do)


def _decoder(path: Path, overrides: Sequence[str], say: Callable[[str], None], commit: Commit) -> Ready:
    from nas.distillation.decoder.distil import distill_decoder
    from nas.distillation.decoder.job import load_decoder_config

    config = with_commits(load_decoder_config(path, overrides=tuple(overrides)), commit=commit)

    def do(directory: Path) -> Done:
        return distill_decoder(config, out=directory / RUN).folder, None

    return Ready(values=plain(config), do=do)


_Doer = Callable[[Path, Sequence[str], Callable[[str], None], Commit], Ready]
_DOERS: Final[Mapping[StageKind, _Doer]] = {
    StageKind.SEARCH: _search,
    StageKind.TRAINING: _training,
    StageKind.STEPS: _steps,
    StageKind.DECODER: _decoder,
}


def _evaluation(
    path: Path | None,
    given: Mapping[str, Any],
    *,
    models: Sequence[str],
    names: Sequence[str],
    folder: Path,
    commit: Commit,
) -> Ready:
    values = read_values(path) if path is not None else {}
    for key, value in with_whole_paths(_nested(given), folder=folder).items():
        known = values.get(key)
        values[key] = {**known, **value} if isinstance(value, dict) and isinstance(known, dict) else value
    settings = with_commits(made_of(values, name=str(path or "the stage evaluation")), commit=commit)

    def do(directory: Path) -> Done:
        from nas.curves.evaluate import run_evaluation

        curves = run_evaluation(models, settings=settings, out=directory, names=names)
        _draw(curves, directory)
        return directory, None

    return Ready(values={"models": list(models), "names": list(names), **plain(settings)}, do=do)


def _draw(curves: "Curves", directory: Path) -> None:
    """The figure, where matplotlib is there to draw it."""
    from latency.exporters.extras import MissingExtraError
    from nas.curves.figure import curves_figure
    from nas.reports.writing import write_figure

    with suppress(MissingExtraError):
        write_figure(curves_figure(curves), directory / "curves.svg")


def _nested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted keys as sections.

    Raises:
        UserError: One is given whole and by its parts.
    """
    nested: dict[str, Any] = {}
    for key, value in given.items():
        *sections, last = key.split(".")
        place: Any = nested
        for section in sections:
            place = place.setdefault(section, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last in place:
            raise UserError(
                f"`set` must give a setting once, but gives `{key}` beside a section of it, or one around it"
            )
        place[last] = value
    return nested


def _as_yaml(value: Any) -> str:
    """A value as an override of a command has it, in one line."""
    return str(yaml.safe_dump(value, default_flow_style=True, width=10**9)).removesuffix("\n...\n").strip()
