"""Laws that hold for every setting of every section, whichever are added."""

from enum import Enum
from operator import attrgetter
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import pytest
import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from nas.config.jobs.kinds import Job, job_of
from nas.config.loading import ConfigError, load_config
from nas.config.sections import ExperimentConfig, SearchConfig
from nas.settings import SettingsError, described, plain, read
from search_spaces.files.strict_yaml import dumped, parse_yaml, read_yaml
from tests.nas.config.every_setting import GIVEN, LEAVES, SECTIONS, bare, config, with_values

NO_SECTION: tuple[Any, ...] = (None, 3, "text", [])
NO_SECTIONS: list[tuple[str, Any]] = [
    (section, value)
    for section in SECTIONS
    for value in NO_SECTION
    if value is not None or NoneType not in get_args(described(ExperimentConfig)[section].annotation)
]


def lawless(info: FieldInfo) -> list[Any]:
    """Plain values that break a setting's law or are of another kind; text is never a number, and 1 is no truth."""
    kind = bare(info)
    values: list[Any] = [[[1]]] if Any in get_args(kind) else [{"a": {"b": []}}, [[1]]]
    if kind in (bool, int, float):
        values += ["1", "yes"]
    if kind in (int, bool):
        values += [1.5, float("inf")]
    if kind is int:
        values.append(True)
    if kind is float:
        values += [float("nan"), float("inf"), True]
    if kind in (str, Path) or (isinstance(kind, type) and issubclass(kind, Enum)):
        values.append(3)
    if (get_args(kind) and all(isinstance(each, str) for each in get_args(kind))) or getattr(kind, "__members__", None):
        values.append("something else")
    if kind in (bool, int, float) and NoneType not in get_args(info.annotation):
        values.append(None)
    for bound in info.metadata:
        match bound:
            case Ge(ge=least):
                values.append(least - 1)  # type: ignore[operator]
            case Gt(gt=limit):
                values.append(limit)
            case Le(le=most):
                values.append(most + 1)  # type: ignore[operator]
            case Lt(lt=limit):
                values.append(limit)
            case _:
                values.append("no such device")
    return values


def test_there_are_settings_in_every_section() -> None:
    assert len(SECTIONS) == len({key.partition(".")[0] for key in LEAVES if "." in key}) >= 8
    assert len(LEAVES) > 40


@pytest.mark.parametrize("key", LEAVES)
def test_what_breaks_a_law_is_refused_by_name_from_a_file(key: str, tmp_path: Path) -> None:
    for value in lawless(LEAVES[key][1]):
        path = tmp_path / "experiment.yaml"
        path.write_text(dumped(with_values({key: value})), encoding="utf-8")
        with pytest.raises(ConfigError) as error:
            load_config(path)
        head, *problems = str(error.value).splitlines()
        assert head.startswith(f"{path} has ")
        assert problems[0].startswith(f"  {key}"), (value, problems)
        assert "pydantic" not in str(error.value)


@pytest.mark.parametrize("key", LEAVES)
def test_what_breaks_a_law_is_refused_by_name_from_python(key: str) -> None:
    kind, info = LEAVES[key]
    section, _, name = key.rpartition(".")
    valid = config()
    of_section = attrgetter(section)(valid) if section else valid
    values = {each: getattr(of_section, each) for each in described(kind)}
    for value in lawless(info):
        with pytest.raises(SettingsError, match=rf"{kind.__name__} has .*\n  {name}") as error:
            kind(**values | {name: value})
        assert "pydantic" not in str(error.value)


@pytest.mark.parametrize("section", ["", *SECTIONS])
def test_a_stranger_is_refused_with_the_names_that_there_are(section: str) -> None:
    kind = SECTIONS[section] if section else ExperimentConfig
    with pytest.raises(SettingsError) as error:
        config(**{f"{section}.strange" if section else "strange": 1})
    (line,) = str(error.value).splitlines()[1:]
    place = f"{section}.strange" if section else "strange"
    assert line == f"  {place}: there is no such setting; choose among {', '.join(described(kind))}"


@pytest.mark.parametrize(("section", "value"), NO_SECTIONS)
def test_a_section_is_a_section(section: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=rf"  {section}: must be a section with settings, but got"):
        read(ExperimentConfig, GIVEN | {section: value}, name="test")


def test_clip_may_be_null_where_another_score_judges() -> None:
    assert [section for section in SECTIONS if (section, None) not in NO_SECTIONS] == ["clip"]
    with pytest.raises(SettingsError, match="test has 1 problem:\n  clip: must be given, but is missing"):
        config(clip=None)
    assert config(**{"clip": None, "score.name": "another"}).clip is None


def test_what_is_dumped_is_read_back() -> None:
    one = config(**{"search.protected": ["resnet[mid,0]"], "robust_training.drop_probability_by_stage": {"a": 0.25}})
    assert read(ExperimentConfig, plain(one), name="test") == one
    for reader in (yaml.safe_load, lambda text: parse_yaml(text, name="test")):
        assert read(ExperimentConfig, reader(dumped(plain(one))), name="test") == one


def test_a_config_of_all_defaults_is_the_defaults() -> None:
    defaults = {
        key: plain(info.get_default(call_default_factory=True))
        for key, (_, info) in LEAVES.items()
        if not info.is_required() and key not in ("search.target_ratio", "latency_table")
    }
    assert config(**defaults) == config()


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for path in (Path(__file__).parents[3] / "experiments").glob("*.yaml")
        if job_of(read_yaml(path), wanted=Job.SEARCH) is Job.SEARCH  # others are read by their own rooms' tests
    ),
    ids=lambda path: path.name,
)
def test_the_experiments_that_we_ship_can_be_read(path: Path) -> None:
    assert load_config(path).model.is_absolute()


def test_a_target_is_given_once() -> None:
    with pytest.raises(SettingsError, match="SearchConfig has 1 problem:\n  settings: give exactly one of"):
        SearchConfig()
