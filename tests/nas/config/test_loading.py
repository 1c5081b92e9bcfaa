"""Experiments as YAML: every problem named with its place, overrides, paths, and what makes two searches the same."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from nas.config.identity.covered import BEFORE, RESULT_FREE, identity, placed_identity
from nas.config.loading import ConfigError, load_config, stored_config, stored_values
from nas.config.sections import ExperimentConfig
from nas.settings import described, plain
from search_spaces.files.strict_yaml import dumped

MINIMAL: dict[str, Any] = {
    "model": "model",
    "clip": {"model": "judge"},
    "latency_table": "tables/phone.json",
    "validation": {"captions": "captions.txt"},
    "search": {"target_ratio": 0.5},
}


def write(folder: Path, config: Any = None, **sections: Any) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(MINIMAL | sections if config is None else config), encoding="utf-8")
    return path


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_config(path, overrides=overrides)
    head, *lines = str(error.value).split("\n")
    assert head == f"{path} has {len(lines)} problem{'s'[: len(lines) > 1]}:"
    return [line.strip() for line in lines]


def test_what_is_not_given_has_the_documented_default(tmp_path: Path) -> None:
    config = load_config(write(tmp_path))
    assert (config.sampling.num_steps, config.search.removals_per_round, config.robust_training.iterations) == (8, 4, 0)
    assert (config.workers.num_workers, config.num_threads, config.seed) == (1, 1, 0)


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    path = write(tmp_path, robust_training={"pictures": "../pictures"}, model=str(tmp_path / "elsewhere"))
    config = load_config(path)
    assert config.model == tmp_path / "elsewhere"
    assert config.clip.model == str(tmp_path / "judge")
    assert config.latency_table == tmp_path / "tables" / "phone.json"
    assert config.validation.captions == tmp_path / "captions.txt"
    assert config.robust_training.pictures == tmp_path.parent / "pictures"


def test_a_clip_model_with_a_tag_is_a_name_not_a_path(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, clip={"model": "ViT-B-32", "pretrained": "openai"}))
    assert (config.clip.model, config.clip.pretrained) == ("ViT-B-32", "openai")
    config = load_config(write(tmp_path, clip={"model": "ViT-B-32", "pretrained": "clip/own.safetensors"}))
    assert config.clip.pretrained == str(tmp_path / "clip" / "own.safetensors"), "relative to the file"
    config = load_config(write(tmp_path), overrides=["clip.model=ViT-B-32", "clip.pretrained=own.safetensors"])
    assert config.clip.pretrained == str(Path.cwd() / "own.safetensors"), "relative to where it is typed"


def test_every_problem_is_named_with_its_place_and_value_at_once(tmp_path: Path) -> None:
    config = {
        **MINIMAL,
        "serach": {},
        "seed": "one",
        "validation": {"num_prompts": 1, "chunks": 4},
        "sampling": {"guidance_scale": 0.5},
        "search": {"target_ratio": 1.5, "copy_start": "random"},
    }
    found = "\n".join(problems(write(tmp_path, config)))
    assert "serach: there is no such setting; choose among model, score, clip, latency_source, latency_table" in found
    assert "seed (the nearest is search)" in found
    assert "seed: must be a valid integer, but got 'one'" in found
    assert "validation.captions: must be given, but is missing" in found
    assert "validation.num_prompts: must be greater than or equal to 2, but got 1" in found
    assert "validation.chunks: there is no such setting; choose among captions, num_prompts, drawn_from, " in found
    assert "sampling.guidance_scale: must be greater than or equal to 1, but got 0.5" in found
    assert "search.target_ratio: must be less than 1, but got 1.5" in found
    assert "search.copy_start: must be 'neutral', 'same' or 'gated', but got 'random'" in found


@pytest.mark.parametrize(
    "search", [{}, {"target_ratio": 0.5, "target_latency_ms": 3.0}], ids=["no target", "both targets"]
)
def test_there_is_exactly_one_target(tmp_path: Path, search: dict[str, float]) -> None:
    (problem,) = problems(write(tmp_path, search=search))
    assert problem.startswith("search: give exactly one of `target_latency_ms` and `target_ratio`; to type the other")


@pytest.mark.parametrize("setting", ["iterations", "recovery_iterations"])
def test_training_needs_pictures(tmp_path: Path, setting: str) -> None:
    (problem,) = problems(write(tmp_path, robust_training={setting: 5}))
    assert problem.startswith("robust_training: `pictures` must name a folder of captioned pictures")


@pytest.mark.parametrize("value", ["3", 3.5, True, None])
def test_nothing_is_converted_silently(tmp_path: Path, value: Any) -> None:
    (problem,) = problems(write(tmp_path, search={"target_ratio": 0.5, "max_rounds": value}))
    assert problem == f"search.max_rounds: must be a valid integer, but got {value!r}"


def test_overrides_are_yaml_with_dotted_keys(tmp_path: Path) -> None:
    overrides = ["search.target_ratio=0.7", "search.protected=['resnet[mid,0]']", "workers.num_workers=2", "seed=3"]
    config = load_config(write(tmp_path), overrides=overrides)
    assert config.search.target_ratio == 0.7
    assert config.search.protected == ("resnet[mid,0]",)
    assert (config.workers.num_workers, config.seed) == (2, 3)


def test_overrides_obey_the_same_laws(tmp_path: Path) -> None:
    assert problems(write(tmp_path), "search.max_round=3")[0].startswith("search.max_round: there is no such setting")
    (both,) = problems(write(tmp_path), "search.target_latency_ms=3")
    assert "exactly one of" in both


@pytest.mark.parametrize(
    ("override", "law"),
    [
        ("seed", "an override is written key=value, .* but got 'seed'"),
        ("=3", "an override is written key=value, .* but got '=3'"),
        ("seed.more=3", "the override seed.more=... cannot be applied: seed is not a section"),
        ("search..x=3", "an override is written key=value"),
        ("seed=" + "[" * 3000, "the value of the override 'seed=.*' must be nested at most 32 deep"),
        ("seed=" + "x" * 300_000, r"an override must have at most 262,144 characters, but .* has 300,005"),
        ("seed=!!bool x", "the value of the override 'seed=!!bool x' has 1 problem"),
        ("model='hub:'", "experiment.yaml: a model of the hub is named hub:ORG/NAME"),
        ("search.protected=[", r"the value of the override 'search.protected=\[' is not YAML"),
    ],
)
def test_an_override_that_cannot_be_read_is_named(tmp_path: Path, override: str, law: str) -> None:
    with pytest.raises(ConfigError, match=law):
        load_config(write(tmp_path, seed=1), overrides=[override])


def test_a_setting_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seed is given twice on top of the file, last as 3; keep one"):
        load_config(write(tmp_path), overrides=["seed=4", "seed=3"])


def test_a_place_that_cannot_be_written_down_is_refused(tmp_path: Path) -> None:
    """Its run could not be read again: YAML has no word for it."""
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    with pytest.raises(ConfigError, match=r"clip\.model: 'judge' is no path: 'utf-8' codec can't encode"):
        load_config(write(folder))


def test_every_refusal_names_the_file_and_none_is_longer_than_a_page(tmp_path: Path) -> None:
    for overrides in (["model=hub:"], ["search.start=" + "x" * 300], ["model=" + "x/" * 5000]):
        with pytest.raises(ConfigError) as error:
            load_config(write(tmp_path), overrides=overrides)
        assert str(tmp_path / "experiment.yaml") in str(error.value)
        assert len(str(error.value)) < 2000
    with pytest.raises(ConfigError, match="an override is a text such as"):
        load_config(write(tmp_path), overrides=[3])  # type: ignore[list-item]  # as from a notebook


@pytest.mark.parametrize(
    ("content", "law"),
    [
        ("model: [", r"experiment\.yaml is not YAML"),
        ("- a\n- b\n", "must hold a mapping of settings, but holds list"),
        ("", "must hold a mapping of settings, but holds NoneType"),
        ("model: !!python/object/apply:os.getcwd []\n", "line 1, column 8: must be a plain value, but is tagged"),
    ],
)
def test_a_file_that_is_no_config_is_named(tmp_path: Path, content: str, law: str) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=law):
        load_config(path)


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no config .*nowhere\.yaml; `nas init .*nowhere\.yaml` writes one"):
        load_config(tmp_path / "nowhere.yaml")


def test_the_identity_leaves_out_only_what_never_changes_a_result(tmp_path: Path) -> None:
    path = write(tmp_path)
    free = ["workers.num_workers=2", "score_store=elsewhere", "pictures.per_action=0"]
    one, two = load_config(path), load_config(path, overrides=free)
    assert one.identity() == two.identity()
    absent = {
        *(name for name in RESULT_FREE if "." not in name),
        "model_variant",
        "score",
        "scoring",
        "latency_source",
    }  # the last four while default
    assert set(described(ExperimentConfig)) - set(one.identity()) == absent
    assert load_config(path, overrides=["model_variant=fp16"]).identity()["model_variant"] == "fp16"
    assert load_config(path, overrides=["num_threads=2"]).identity() != one.identity()


def test_a_run_keeps_every_setting_that_can_change_a_result(tmp_path: Path) -> None:
    config = load_config(write(tmp_path))
    kept, whole = config.plain(), plain(config)
    assert whole.keys() - kept.keys() == {name for name in RESULT_FREE if "." not in name}
    free = {name.partition(".")[2] for name in RESULT_FREE if name.startswith("robust_training.")}
    assert whole["robust_training"] == kept["robust_training"] | {name: whole["robust_training"][name] for name in free}
    assert all(kept[name] == whole[name] for name in kept if name != "robust_training")


def test_what_a_run_keeps_is_read_back_as_it_was(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, search={"target_ratio": 0.5, "protected": ["resnet[mid,0]"]}))
    kept = tmp_path / "config.yaml"
    kept.write_text(dumped(config.plain()), encoding="utf-8")
    assert stored_config(kept) == config
    assert stored_values(kept) == config.plain()
    assert load_config(kept) == config


def test_an_older_run_means_what_its_version_did(tmp_path: Path) -> None:
    moved = (  # today's defaults are others
        "search.value",
        "search.indifference",
        "racing.rule",
        "racing.tolerance",
        "validation.drawn_from",
    )
    was = [f"{key}={BEFORE[key]}" for key in moved]
    config = load_config(write(tmp_path), overrides=was)
    kept = tmp_path / "config.yaml"
    kept.write_text(dumped(placed_identity(config.plain())), encoding="utf-8")
    assert "value" not in yaml.safe_load(kept.read_text(encoding="utf-8"))["search"]
    assert stored_config(kept) == config
    assert identity(stored_values(kept)) == config.identity()
    for key, value in BEFORE.items():
        part: Any = stored_values(kept)
        for name in key.split("."):
            part = part[name]
        assert part == value


def test_a_kept_config_that_breaks_a_law_is_named(tmp_path: Path) -> None:
    kept = tmp_path / "config.yaml"
    kept.write_text(dumped(load_config(write(tmp_path)).plain() | {"sed": 3, "search": 7}), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        stored_config(kept)
    head, *lines = str(error.value).splitlines()
    assert head == f"{kept} has 2 problems:"
    assert sorted(line.partition(":")[0].strip() for line in lines) == ["search", "sed"]


@pytest.mark.parametrize("place", ["config.yaml", "earlier/0.yaml"])
def test_a_kept_config_that_cannot_be_read_tells_which_version_wrote_it(tmp_path: Path, place: str) -> None:
    kept = tmp_path / "run" / place
    kept.parent.mkdir(parents=True)
    kept.write_text(dumped(load_config(write(tmp_path)).plain() | {"of_tomorrow": 3}), encoding="utf-8")
    described = tmp_path / "run" / "environment.json"
    described.write_text(json.dumps({"libraries": {"snapfusion-nas": "7.0.0"}}), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"of_tomorrow(.|\n)*\nThe run was written by snapfusion-nas 7\.0\.0 and is read"
    ):
        stored_config(kept)
    own = metadata.version("snapfusion-nas")
    described.write_text(json.dumps({"libraries": {"snapfusion-nas": own}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\nThe run was written by this version, .*: take back what was edited$"):
        stored_config(kept)
    described.write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"of_tomorrow[^\n]*$"):
        stored_config(kept)


# --- paths: those of a file are the file's, those that are typed are the shell's, and none that is kept is relative


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which is not the config's folder."""
    folder = tmp_path / "shell"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


PATHS = ["model", "clip.model", "latency_table", "validation.captions", "robust_training.pictures", "score_store"]


def value_of(config: ExperimentConfig, key: str) -> str:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return str(value)


@pytest.mark.parametrize("key", [*PATHS, "search.start"])
def test_typed_paths_are_relative_to_the_shell(tmp_path: Path, shell: Path, key: str) -> None:
    path = write(tmp_path)
    assert value_of(load_config(path, overrides=[f"{key}=boards/x"]), key) == str(shell / "boards" / "x")
    assert value_of(load_config(path, overrides=[f"{key}=/boards/x"]), key) == "/boards/x"
    others = [each for each in PATHS if each != key and value_of(load_config(path), each) != "None"]
    assert all(str(shell) not in value_of(load_config(path, overrides=[f"{key}=x"]), each) for each in others)


def test_a_typed_section_is_the_shells_and_the_last_word_counts(tmp_path: Path, shell: Path) -> None:
    config = load_config(write(tmp_path), overrides=["validation={captions: a.txt}", "validation.num_prompts=5"])
    assert config.validation.captions == shell / "a.txt"
    assert config.clip.model == str(tmp_path / "judge")


@pytest.mark.parametrize("key", [*PATHS, "search.start"])
def test_home_is_home_in_a_file_and_in_the_shell(
    tmp_path: Path, shell: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    expected = str(tmp_path / "home" / "x")
    assert value_of(load_config(write(tmp_path), overrides=[f"{key}=~/x"]), key) == expected
    section, _, name = key.rpartition(".")
    sections = {section: {**MINIMAL.get(section, {}), name: "~/x"}} if section else {name: "~/x"}
    assert value_of(load_config(write(tmp_path, **sections)), key) == expected


def test_a_known_name_and_the_hub_are_no_paths(tmp_path: Path, shell: Path) -> None:
    for start in ("bk-sdm-small", "hub:someone/unet"):
        assert load_config(write(tmp_path), overrides=[f"search.start={start}"]).search.start == start
    (shell / "bk-sdm-small").mkdir()
    config = load_config(write(tmp_path), overrides=["search.start=bk-sdm-small"])
    assert config.search.start == str(shell / "bk-sdm-small"), "what is there goes first"


@pytest.mark.parametrize("given", ["x" * 300, "~nobody-of-this-name/x"])
@pytest.mark.parametrize("key", [*PATHS, "search.start"])
def test_a_path_that_no_disk_takes_is_named(tmp_path: Path, key: str, given: str) -> None:
    with pytest.raises(ConfigError, match=rf"experiment\.yaml: {key}: '.*' is no path"):
        load_config(write(tmp_path), overrides=[f"{key}={given}"])


def test_reading_a_config_imports_no_framework() -> None:
    code = "import sys, nas.config.loading; print({'torch', 'diffusers', 'ray', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_clip_is_needed_by_its_own_score_alone(tmp_path: Path) -> None:
    without = {name: section for name, section in MINIMAL.items() if name != "clip"}
    assert problems(write(tmp_path, without)) == ["clip: must be given, but is missing"]
    config = load_config(write(tmp_path, without | {"score": {"name": "output_change"}}))
    assert config.clip is None
    assert config.identity()["clip"] is None
    assert config.identity()["score"] == {"name": "output_change"}


def test_a_section_that_may_be_left_out_names_its_settings_all_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, clip={"model": "judge", "tag": "openai"})
    assert problems(path) == ["clip.tag: there is no such setting; choose among model, pretrained"]


def test_the_settings_of_clip_have_a_section_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path, score={"settings": {"model": "judge"}})
    assert problems(path) == ["score: `settings` of the score clip stand in the section `clip`; move them there"]


def test_a_scores_settings_are_overridden_by_name(tmp_path: Path) -> None:
    config = load_config(write(tmp_path), overrides=["score.name=mine", "score.settings.tolerance=0.3"])
    assert (config.score.name, config.score.settings) == ("mine", {"tolerance": 0.3})
