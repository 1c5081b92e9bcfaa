"""What an installation brings by name: the template, the demo's config, models, tables, captions and their judge."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from latency import find_table, read_latency_table
from latency.blocks.models import latency_model
from latency.documents.shipped import shipped_tables
from nas.cli.app import app
from nas.config.identity.covered import BEFORE
from nas.config.jobs.writing import write_job
from nas.config.loading import ConfigError, load_config
from nas.config.places.bundled import bundled
from nas.config.resolving import copies_made
from nas.config.sections import SearchConfig
from nas.config.template import DEMO_TRAINING, TEMPLATE, search_text
from nas.pipelines.source import local_folder
from nas.racing.settings import RacingRule
from nas.references.base_model import base_model
from nas.runs.changes import changed_keys
from nas.values.rule import Rule
from search_spaces.files.user_error import UserError
from search_spaces.known.bundled import BUNDLED_MODELS, named_folder
from search_spaces.shapes import CAPTIONS_FILE, OPEN_CLIP_DIR, PIPELINE_DIR

DEMO = Path(__file__).parents[3] / "experiments" / "demo.yaml"


def test_the_template_with_the_demos_training_is_the_demo(tmp_path: Path) -> None:
    pictures = f"robust_training.pictures={tmp_path}"
    demo = load_config(DEMO, overrides=[pictures])
    assert load_config(TEMPLATE, overrides=[pictures, *DEMO_TRAINING]) == demo
    (tmp_path / "all.yaml").write_text(search_text(trains=True))
    assert load_config(tmp_path / "all.yaml", overrides=[pictures]) == demo, "what is commented out works, too"


def test_init_writes_a_config_that_can_be_read_and_replaces_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    told = CliRunner().invoke(app, ["init", str(file)])
    assert told.exit_code == 0
    assert f"`nas search {file}` runs it" in told.stdout
    config = load_config(file)
    assert (config.model, config.latency_table) == (PIPELINE_DIR, find_table("shapes_cpu_torch_eager"))
    assert config.clip is not None
    assert (config.clip.model, config.validation.captions) == (str(OPEN_CLIP_DIR), CAPTIONS_FILE)
    file.write_text("mine")
    assert CliRunner().invoke(app, ["init", str(file)]).exit_code == 2
    with pytest.raises(UserError, match="must be free"):
        write_job(file)
    assert file.read_text() == "mine"
    with pytest.raises(UserError, match="there is no folder"):
        write_job(tmp_path / "none" / "mine.yaml")
    with pytest.raises(ConfigError, match=r"`nas init .*none\.yaml` writes one that works"):
        load_config(tmp_path / "none.yaml")


def test_the_papers_preset_decides_as_the_paper_does_and_changes_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "paper.yaml"
    assert CliRunner().invoke(app, ["init", str(file), "--preset", "paper"]).exit_code == 0
    write_job(tmp_path / "ours.yaml")
    ours, paper = load_config(tmp_path / "ours.yaml"), load_config(file)
    assert (paper.search.value, paper.search.indifference) == (Rule.PAPER, 0.0)
    assert (paper.racing.rule, paper.racing.tolerance) == (RacingRule.ELIMINATION, 0.0)
    assert paper.racing.indifference == 0.0, "a race may spare prompts, and chooses as all of them do"
    changed = {"search.value", "search.indifference", "racing.rule", "racing.tolerance"}
    assert changed_keys(ours.plain(), paper.plain()) == changed
    assert changed <= set(BEFORE), "and what the paper's rule means is what the first version did"
    assert all(paper.plain()[section][name] == BEFORE[key] for key in changed for section, name in [key.split(".")])


def test_a_thing_that_is_there_wins_over_its_name_and_another_thing_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert {named_folder("shapes"), local_folder("shapes")} == set(BUNDLED_MODELS.values()) == {PIPELINE_DIR}
    write_job(tmp_path / "mine.yaml")
    bundled_things = load_config(tmp_path / "mine.yaml")
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes" / "metadata.jsonl").touch()
    (tmp_path / "shapes_cpu_torch_eager").mkdir()
    assert load_config(tmp_path / "mine.yaml") == bundled_things, "folders of pictures that happen to be called so"
    assert local_folder("shapes") == PIPELINE_DIR

    (tmp_path / "shapes" / "unet").mkdir()
    (tmp_path / "shapes" / "open_clip_config.json").touch()
    (tmp_path / "shapes_cpu_torch_eager").rmdir()
    (tmp_path / "shapes_cpu_torch_eager").touch()
    config = load_config(tmp_path / "mine.yaml")
    assert config.clip is not None
    assert (config.model, config.clip.model) == (tmp_path / "shapes", str(tmp_path / "shapes"))
    assert (config.latency_table, config.validation.captions) == (tmp_path / "shapes_cpu_torch_eager", CAPTIONS_FILE)
    assert local_folder("shapes") == Path("shapes")


def test_a_name_means_something_only_where_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert bundled("robust_training.pictures", "shapes") is None
    assert bundled("model", "shape") is bundled("model", "shapes_cpu_torch_eager") is None
    assert {bundled("latency_table", name) for name in shipped_tables()} == {find_table(n) for n in shipped_tables()}
    assert bundled("latency_source.settings.path", "shapes_cpu_torch_eager") == find_table("shapes_cpu_torch_eager")
    assert base_model("shapes").context_tokens == latency_model(Path("shapes")).context_tokens == 24
    assert latency_model(Path("shapes")).name == base_model("shapes").name == "shapes"
    with pytest.raises(UserError, match="or a known name: shapes, sd-1"):
        base_model("shape")


@pytest.mark.parametrize(
    "command",
    [
        ("space", "show", "shapes"),
        ("space", "diff", "shapes", "shapes", "--latency-table", "shapes_cpu_torch_eager"),
        ("latency", "show", "shapes_cpu_torch_eager", "--model", "shapes"),
        ("latency", "validate", "shapes_cpu_torch_eager", "--model", "shapes", "--max-copies", "0"),
    ],
    ids=" ".join,
)
def test_commands_take_bundled_names_from_anywhere(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, list(command))
    assert told.exit_code == 0, told.output


def test_a_source_that_is_a_table_takes_a_shipped_name(tmp_path: Path) -> None:
    write_job(tmp_path / "mine.yaml")
    text = (tmp_path / "mine.yaml").read_text().replace("latency_table: shapes_cpu_torch_eager\n", "")
    source = "latency_source={name: table, settings: {path: shapes_cpu_torch_eager}}"
    (tmp_path / "mine.yaml").write_text(text)
    config = load_config(tmp_path / "mine.yaml", overrides=[source])
    path = config.latency_source.settings["path"]
    assert read_latency_table(path).digest == read_latency_table("shapes_cpu_torch_eager").digest


@pytest.mark.parametrize(
    ("settings", "num"),
    [({}, 1), ({"max_copies": 0}, 0), ({"max_copies": 5}, 2), ({"max_copies": 5, "max_copies_per_block": 3}, 3)],
)
def test_prices_are_needed_for_the_copies_that_a_search_can_come_to_have(settings: dict[str, Any], num: int) -> None:
    search = SearchConfig(target_ratio=0.5, **settings)
    base = base_model("shapes").space.base
    assert copies_made(search, base, base=base) == num
    place, position = next(base.positions())
    doubled = base.with_position(place, replace(position, cross_attentions=2))
    assert copies_made(search, doubled, base=base) == min(search.max_copies_per_block, search.max_copies + 1)
    other = SearchConfig(target_ratio=0.5, algorithm="a plugin's")
    assert copies_made(other, base, base=base) == other.max_copies_per_block, "nothing is known of its copies"
