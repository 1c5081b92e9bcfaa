"""The distribution: what the wheel holds, that it works where only it is installed, and what imports stay light."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"search_spaces", "latency", "nas"}
# Each takes seconds to import; none is needed to say what an architecture is or to print help.
HEAVY = {"torch", "torchvision", "diffusers", "transformers", "open_clip", "ray", "optuna", "matplotlib"}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command as a stranger would: from elsewhere, without this process's import path."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command} gave {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def loaded_heavy_modules(statement: str, /) -> list[str]:
    report = f"import json, sys; print(json.dumps(sorted({HEAVY!r} & set(sys.modules))))"
    loaded: list[str] = json.loads(run(sys.executable, "-c", f"{statement}\n{report}", cwd=ROOT))
    return loaded


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and borrows its dependencies, but not this checkout; its `bin` folder."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)  # this environment's pip installs into it, which takes a quarter of the time
    python = folder / "bin" / "python"
    site_packages = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    # A path file inside a borrowed folder is not read, so the editable install there stays out of sight.
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", "--force-reinstall", wheel, cwd=folder)
    return folder / "bin"


def test_wheel_holds_exactly_the_three_packages(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1


def test_wheel_holds_the_data_beside_the_code(wheel: Path) -> None:
    shipped = set(zipfile.ZipFile(wheel).namelist())
    present = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert present <= shipped
    assert {f"{package}/py.typed" for package in PACKAGES} <= shipped
    assert {Path(name).suffix for name in shipped} >= {".py", ".json", ".safetensors", ".txt"}


def test_wheel_names_its_command_and_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    assert info.startswith("snapfusion_nas-")
    assert f"{info}/licenses/LICENSE" in archive.namelist()
    entry_points = archive.read(f"{info}/entry_points.txt").decode().splitlines()
    assert entry_points == ["[console_scripts]", "nas = nas.cli:main"]
    page = (ROOT / "docs" / "package.md").read_text(encoding="utf-8")
    assert archive.read(f"{info}/METADATA").decode().endswith(page), "what a package index shows"


def test_make_demo_is_the_search_and_the_export_that_the_readme_promises() -> None:
    """What it would run; `tests/nas/cli/test_demo.py` runs the same way at a small size."""
    commands = run("make", "-n", "demo", cwd=ROOT)
    wanted = (
        "-m search_spaces.shapes runs/demo-pictures",
        "search experiments/demo.yaml --out runs/demo",
        "export runs/demo",
    )
    places = [commands.find(words) for words in wanted]
    assert -1 not in places[1:]
    assert places == sorted(places)


def test_command_is_a_function() -> None:
    assert callable(EntryPoint(name="nas", value="nas.cli:main", group="console_scripts").load())


def test_installed_wheel_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    modules = "(search_spaces, latency, nas)"
    statement = f"import json, search_spaces, latency, nas; print(json.dumps([m.__file__ for m in {modules}]))"
    files = json.loads(run(installed / "python", "-c", statement, cwd=tmp_path))
    assert all(Path(file).is_relative_to(installed.parent) for file in files)
    assert "search" in run(installed / "nas", "--help", cwd=tmp_path)
    assert "snapfusion-nas" in run(installed / "nas", "--version", cwd=tmp_path)
    assert "38 removals" in run(installed / "nas", "space", "show", "shapes", cwd=tmp_path)
    assert "24 text tokens" in run(installed / "nas", "latency", "show", "shapes_cpu_torch_eager", cwd=tmp_path)
    run(installed / "nas", "init", "mine.yaml", cwd=tmp_path)
    statement = "import nas; print(nas.load_config('mine.yaml').model)"
    model = run(installed / "python", "-c", statement, cwd=tmp_path).strip()
    assert Path(model).is_relative_to(installed.parent)
    assert (Path(model) / "model_index.json").is_file()


@pytest.mark.parametrize(
    "statement",
    [
        "import search_spaces",
        "import search_spaces.known.architectures",
        "import search_spaces.shapes",
        "import latency",
        "import nas; dir(nas)",
        "import nas; nas.load_config",
        "import nas; nas.open_run",
        "import nas; nas.read_latency_table",
        "import nas.algorithms",
    ],
)
def test_import_is_light(statement: str) -> None:
    assert loaded_heavy_modules(statement) == []


def test_help_is_light() -> None:
    statement = """
import contextlib, io, sys
sys.argv = ["nas", "--help"]
from nas.cli import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:
    main()
assert "search" in out.getvalue()
"""
    assert loaded_heavy_modules(statement) == []
