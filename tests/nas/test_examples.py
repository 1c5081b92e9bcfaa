"""Every command and every line of Python that README and docs show runs here, or says who runs it, or why not.

A page is one session in a folder of its own, as a reader has it, where the models, tables and runs that pages speak of
stand already. What would take minutes gets settings at the end of its line that make it small; the rest is as written.
"""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from latency import find_table, write_table
from nas.cli.app import app
from nas.config.template import TEMPLATE
from nas.runs.bundled.naming import BUNDLED_RUNS
from search_spaces.known.architectures import SD15_CONFIG
from search_spaces.shapes import PIPELINE_DIR
from search_spaces.shapes.__main__ import main as make_shapes
from search_spaces.shapes.__main__ import write_pictures
from tests.examples import HIDDEN, ROOT, RUN, SHOWN, examples
from tests.examples import PAGES as FILES
from tests.nas.searching import search
from tests.nas.synthetic import shapes_space, small_config, synthetic_table, write_experiment

EXAMPLES: Final = [example for example in examples() if example.is_example]
UNMARKED: Final = [example for example in EXAMPLES if example.mark is None and example.page != "docs/api.md"]
PAGES: Final = sorted({example.page for example in UNMARKED})
BLOCKS: Final = sorted(str(action)[1:] for action in shapes_space().removals(shapes_space().base))
# Ten attentions may go, which is enough for what the pages ask for.
KEPT: Final = [name for name in BLOCKS if not re.match(r"cross_attention\[(down\.[02]|up\.[13]),", name)]
SEARCH: Final = (
    "validation.num_prompts=2", "validation.chunk_size=2", "sampling.num_steps=1", "racing.enabled=false",
    "search.removals_per_round=8", "search.max_rounds=1", f"search.protected={json.dumps(KEPT)}",
)  # fmt: skip
TRAINING: Final = (
    "robust_training.iterations=1", "robust_training.recovery_iterations=0", "robust_training.batch_size=2",
)  # fmt: skip
SMALL: Final = {
    "nas search experiments/demo.yaml": (*SEARCH, *TRAINING),
    "nas search": SEARCH,
    "nas train": ("robust_training.batch_size=2", "robust_training.sample_every=0"),
    "nas export": ("--no-measure",),
    "nas generate": ("--num-steps", "2", "--num-pictures", "1"),
    "python -m search_spaces.shapes": ("--num", "16"),
}


# ---------------------------------------------------------------------------------------------------------------- marks
def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 40
    assert len(UNMARKED) > 15


def test_fences_say_what_they_hold() -> None:
    strange = [each for each in examples() if each.language not in (*RUN, *SHOWN) and not each.language.startswith("{")]
    assert [f"{each}: {each.language}" for each in strange] == [], f"say one of {', '.join((*RUN, *SHOWN))}"
    assert [page.name for page in FILES if HIDDEN.search(page.read_text(encoding="utf-8"))] == []


def test_marks_name_a_test_or_a_reason() -> None:
    """A test that runs a page names it; a reason is more than a word."""
    wrong = []
    for example in EXAMPLES:
        found = re.fullmatch(r"run by (tests/[\w/]+\.py)|not run: (\w+.*)", example.mark or "")
        if example.mark is None:
            continue
        if found is None or (found[2] and len(found[2].split()) < 4):
            wrong.append(str(example))
        elif found[1]:
            text = (ROOT / found[1]).read_text(encoding="utf-8")
            wrong += [] if Path(example.page).name in text else [str(example)]
        wrong += [
            f"{example}: no {path}"
            for path in re.findall(r"tests/[\w/.]+\w", example.mark)
            if not (ROOT / path).exists()
        ]
    assert wrong == []


# ------------------------------------------------------------------------------------------------------------- sessions
@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the bundled model, which stands for every model of the pages: two blocks that may go, no training."""
    free = {"cross_attention[up.3,2]", "resnet[mid,1]"}
    config = small_config(target_ratio=0.96, protected=sorted({*BLOCKS} - free)) | {
        "model": str(PIPELINE_DIR),
        "robust_training": {},
    }
    path = write_experiment(tmp_path_factory.mktemp("bundled"), config)
    write_table(synthetic_table(shapes_space()), path.parent / "table.json")
    search(path, path.parent / "run")
    return path.parent / "run"


@pytest.fixture
def session(page: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's folder, in which what the page speaks of stands already."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "latency").symlink_to(ROOT / "latency")
    shutil.copy(TEMPLATE, tmp_path / "experiment.yaml")
    if page == "docs/latency_tables.md":
        (tmp_path / "models" / "sd15" / "unet").mkdir(parents=True)
        config = {"_class_name": "UNet2DConditionModel"} | SD15_CONFIG
        (tmp_path / "models" / "sd15" / "unet" / "config.json").write_text(json.dumps(config), encoding="utf-8")
        shutil.copy(find_table("sd15_cpu_torch_eager"), tmp_path / "sd15_laptop.json")
        return tmp_path
    for name in ("sd15", "somebodys"):
        (tmp_path / "models" / name).symlink_to(PIPELINE_DIR)
    shutil.copy(find_table("shapes_cpu_torch_eager"), tmp_path / "phone.json")
    shutil.copytree(run, tmp_path / "RUN")
    shutil.copytree(BUNDLED_RUNS["sample"], tmp_path / "runs" / "demo")
    shutil.copytree(BUNDLED_RUNS["sample_onnxruntime"], tmp_path / "runs" / "phone")
    shutil.copy(run / "architecture.json", tmp_path / "spec.json")
    (tmp_path / "search_spaces").symlink_to(ROOT / "search_spaces")
    (tmp_path / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "demo.yaml", tmp_path / "experiments")
    write_pictures(tmp_path / "runs" / "demo-pictures", num=16, seed=0)
    return tmp_path


def small(command: str, /) -> list[str]:
    """The words of a command, with what makes it small."""
    more = next((more for start, more in SMALL.items() if command.startswith(start)), ())
    return [*shlex.split(command), *more]


def run_command(command: str, /) -> None:
    """Run one line in this process."""
    words = small(command)
    if words[0] == "source":
        return
    if words[0] == "nas":
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code in (0, 3), f"{command}\n{done.output}"  # 3: so small a search may miss its target
        return
    assert words[:3] == ["python", "-m", "search_spaces.shapes"], f"`{command}` is run by no test: mark the block"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", words[2:])
        make_shapes()


@pytest.mark.usefixtures("session", "checked_here")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_works_as_it_stands(page: str) -> None:
    names: dict[str, object] = {}
    for example in UNMARKED:
        if example.page == page and example.language == "python":
            exec(compile(example.text, str(example), "exec"), names)
        elif example.page == page:
            for command in example.commands():
                run_command(command)
