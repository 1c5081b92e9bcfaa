"""Laws that hold for every setting of every section, whichever are added."""

from collections.abc import Iterator
from copy import deepcopy
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
from nas.config.sections import BEFORE, RESULT_FREE, ExperimentConfig, SearchConfig, identity, with_before
from nas.settings import SettingsError, described, plain, read, section_of
from search_spaces.files.digests import digest_of
from search_spaces.files.strict_yaml import dumped, parse_yaml, read_yaml

GIVEN: dict[str, Any] = {
    "model": "/model",
    "clip": {"model": "/judge"},
    "latency_table": "/table.json",
    "validation": {"captions": "/captions.txt"},
    "search": {"target_ratio": 0.5},
}


def leaves(kind: type = ExperimentConfig, prefix: str = "") -> Iterator[tuple[str, type, FieldInfo]]:
    """Every setting: its dotted name, its class, and what is known of it."""
    for name, info in described(kind).items():
        if (section := section_of(info)) is not None:
            yield from leaves(section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", kind, info


LEAVES = {key: (kind, info) for key, kind, info in leaves()}
SECTIONS = {name: kind for name, info in described(ExperimentConfig).items() if (kind := section_of(info)) is not None}
NO_SECTION: tuple[Any, ...] = (None, 3, "text", [])
NO_SECTIONS: list[tuple[str, Any]] = [
    (section, value)
    for section in SECTIONS
    for value in NO_SECTION
    if value is not None or NoneType not in get_args(described(ExperimentConfig)[section].annotation)
]


def config(**changed: Any) -> ExperimentConfig:
    return read(ExperimentConfig, with_values(changed), name="test")


def with_values(changed: dict[str, Any]) -> dict[str, Any]:
    """`GIVEN` with settings by their dotted names."""
    data = deepcopy(GIVEN)
    for key, value in changed.items():
        *sections, name = key.split(".")
        part = data
        for section in sections:
            part = part.setdefault(section, {})
        part[name] = value
    return data


def bare(info: FieldInfo) -> Any:
    """Its type, without null."""
    parts = [part for part in get_args(info.annotation) if part is not NoneType]
    return parts[0] if NoneType in get_args(info.annotation) else info.annotation


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


# Where something stands is in no digest of a config; what stands there has a digest of its own.
PLACES = ("model", "clip.model", "latency_table", "validation.captions")


def another(key: str) -> dict[str, Any]:
    """Settings in which this one differs from `GIVEN`."""
    special: dict[str, dict[str, Any]] = {
        "search.target_latency_ms": {"search.target_latency_ms": 3.0, "search.target_ratio": None},
        "search.targets": {"search.targets": [0.8, "fastest"], "search.target_ratio": None},
        "search.devices": {"search.devices": ["shapes_cpu_onnxruntime"]},
        "robust_training.iterations": {"robust_training.iterations": 3, "robust_training.pictures": "/pictures"},
        "robust_training.recovery_iterations": {
            "robust_training.recovery_iterations": 3,
            "robust_training.pictures": "/pictures",
        },
        "execution.device": {"execution.device": "cuda:1"},
        "robust_training.device": {"robust_training.device": "cuda:1"},
        "robust_training.drop_probability_by_kind": {"robust_training.drop_probability_by_kind": {"a": 0.5}},
        "robust_training.drop_probability_by_stage": {"robust_training.drop_probability_by_stage": {"a": 0.5}},
        "search.protected": {"search.protected": ["a"]},
        "score.settings": {"score.settings": {"a": 1}, "score.name": "another"},
        "scoring.settings": {"scoring.settings": {"a": 1}},
        "latency_source.name": {"latency_source.name": "formula", "latency_table": None},
        "latency_source.settings": {
            "latency_source.settings": {"a": 1},
            "latency_source.name": "formula",
            "latency_table": None,
        },
        "search.settings": {"search.settings": {"a": 1}, "search.algorithm": "another"},
        "robust_training.data.crop": {
            "robust_training.data.crop": "random",
            "robust_training.data.encode": "per_batch",
        },
    }
    special |= {
        "validation.final_prompts": {"validation.final_prompts": 99},
        "validation.held_out": {"validation.held_out": 5},
        "validation.held_out_captions": {"validation.held_out": 5, "validation.held_out_captions": "other.txt"},
    }
    if key in special:
        return special[key]
    now = plain(attrgetter(key)(config()))
    kind = bare(LEAVES[key][1])
    if kind is bool:
        return {key: not now}
    if kind in (int, float):
        if now is None:
            return {key: 0.5 if kind is float else 1}
        return {key: now * 0.9 if now and kind is float and now <= 1 else now + 1}
    choices = [member.value for member in kind] if isinstance(kind, type) and issubclass(kind, Enum) else get_args(kind)
    return {key: next(each for each in choices if each != now) if choices else "/another"}


@pytest.mark.parametrize("key", LEAVES)
def test_a_setting_changes_the_digest_unless_no_result_depends_on_it(key: str) -> None:
    sections = [key.rsplit(".", num)[0] for num in range(key.count(".") + 1)]
    free = bool({*sections} & {*RESULT_FREE}) or key in PLACES
    assert (digest_of(config(**another(key)).identity()) == digest_of(config().identity())) is free


@pytest.mark.parametrize("key", BEFORE)
def test_a_later_setting_is_in_no_digest_while_it_is_as_it_was(key: str) -> None:
    assert key in LEAVES
    was = config(**{key: BEFORE[key]})
    changed = another(key) if plain(attrgetter(key)(config())) == BEFORE[key] else {}  # a default that became another
    for given, expected in (({key: BEFORE[key]}, False), (changed, True)):
        found: Any = identity(config(**given).plain())
        for name in key.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        assert (found is not None) is expected
    assert plain(attrgetter(key)(was)) == BEFORE[key]


def test_a_section_that_came_later_is_in_no_digest_while_it_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    old = config().plain()
    monkeypatch.setitem(BEFORE, "sampling.num_steps", 8)
    monkeypatch.setitem(BEFORE, "sampling.guidance_scale", 7.5)
    monkeypatch.setitem(BEFORE, "sampling.scheduler", "DDIMScheduler")
    assert set(old) - set(identity(old)) == {"sampling", "score", "scoring", "latency_source", "model_variant"}
    without = {name: part for name, part in old.items() if name != "sampling"}
    assert with_before(without)["sampling"] == old["sampling"]
    assert identity(old | {"sampling": {**old["sampling"], "num_steps": 9}})["sampling"] == {"num_steps": 9}


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
