"""What an export replaces, and what it leaves alone: whatever is not its own."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import nas.export.verify
import nas.export.write
from nas.export.form import ExportForm
from nas.export.source import ExportError, ExportSource, source_of_spec
from nas.export.verify import VerificationRequest, verify
from nas.export.write import export
from nas.pipelines.model_folder import ModelFolder
from tests.contents import content
from tests.nas.export.exporting import export_run
from tests.nas.searching import read_json
from tests.nas.synthetic import small_space

SPACE = small_space()


@pytest.fixture(scope="module")
def named(sd1: Path) -> ExportSource:
    """A named architecture of a base model, loaded once: for what is about the place that it is written into."""
    return source_of_spec("bk-sdm-tiny", model=ModelFolder(sd1))


@pytest.mark.parametrize("name", ["thesis.tex", "architecture.json"])
def test_a_foreign_folder_is_refused_and_left_alone(run: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "taken"
    out.mkdir()
    (out / name).write_text(json.dumps(SPACE.base.to_dict()))
    before = content(tmp_path)
    with pytest.raises(ExportError, match=r"taken exists and is not an export of this architecture; give another"):
        export_run(run, out=out)
    assert content(tmp_path) == before


def test_the_export_of_an_earlier_result_is_kept_and_a_place_for_the_new_one_is_named(
    run: Path, tmp_path: Path
) -> None:
    out, now = tmp_path / "export", read_json(run / "architecture.json")["arch_id"]
    out.mkdir()
    (out / "architecture.json").write_text(json.dumps(SPACE.base.to_dict()))
    (out / "export.json").write_text("{}")
    before = content(tmp_path)
    with pytest.raises(ExportError, match=rf"{now}, but of {SPACE.base.arch_id}: .* say `--out {out}-{now}`"):
        export_run(run, out=out)
    assert content(tmp_path) == before


@pytest.mark.usefixtures("checked_here")
def test_files_that_are_not_the_exports_own_are_not_deleted(named: ExportSource, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(named, out=out, form=ExportForm.SPEC)
    digests = {name: sha256(data).hexdigest() for name, data in sorted(content(out).items()) if name != "export.json"}
    assert read_json(out / "export.json")["files"] == digests
    export(named, out=out, form=ExportForm.SPEC)
    (out / "notes").mkdir()
    (out / "notes" / "thesis.tex").write_text("thesis")
    with pytest.raises(ExportError, match=r"1 of its files are not the export's own, such as notes/thesis\.tex; move"):
        export(named, out=out, form=ExportForm.SPEC)
    report = read_json(out / "export.json")
    listed = [*report.pop("files"), "export.json"]
    for earlier in (report, report | {"files": listed}):  # as version 0.1.0 wrote it, and the one after it
        (out / "export.json").write_text(json.dumps(earlier))
        with pytest.raises(ExportError, match="such as notes/thesis"):
            export(named, out=out, form=ExportForm.SPEC)
    assert (out / "notes" / "thesis.tex").read_text() == "thesis"
    shutil.rmtree(out / "notes")
    export(named, out=out, form=ExportForm.SPEC)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_was_made_meanwhile_is_not_deleted(sd1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(request: VerificationRequest) -> dict[str, Any]:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.tex").write_text("thesis")
        return verify(request)

    monkeypatch.setattr(nas.export.write, "run_verification", meanwhile)
    with pytest.raises(ExportError, match="out exists and is not an export of this architecture"):
        export(source_of_spec("bk-sdm-tiny", model=ModelFolder(sd1)), out=tmp_path / "out", measure=False)
    assert content(tmp_path) == {"out/thesis.tex": b"thesis"}


def test_a_place_above_the_working_folder_is_refused_at_once(
    named: ExportSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis.tex").write_text("thesis")
    monkeypatch.chdir(tmp_path)
    for out in ("new/..", ".", "..", "new/../.."):
        with pytest.raises(ValueError, match="must not be the working folder or hold it"):
            export(named, out=Path(out), form=ExportForm.SPEC)
    assert content(tmp_path) == {"thesis.tex": b"thesis"}


def test_a_file_of_an_export_that_was_changed_since_is_not_deleted(named: ExportSource, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(named, out=out, form=ExportForm.SPEC)
    (out / "README.md").write_text("what I found out")
    with pytest.raises(ExportError, match=r"1 of its files changed since it was written, such as README\.md; give"):
        export(named, out=out, form=ExportForm.SPEC)
    assert (out / "README.md").read_text() == "what I found out"
    (out / "README.md").unlink()
    export(named, out=out, form=ExportForm.SPEC)
    assert (out / "README.md").is_file()


@pytest.mark.parametrize("files", [5, None, "x", [["x"]], {"README.md": 5}])
def test_an_export_whose_listing_is_none_is_refused(named: ExportSource, tmp_path: Path, files: Any) -> None:
    out = tmp_path / "out"
    export(named, out=out, form=ExportForm.SPEC)
    report = read_json(out / "export.json")
    (out / "export.json").write_text(json.dumps(report | {"files": files}))
    with pytest.raises(
        ExportError, match=r"`files` in .*export\.json must give each file .* its digest, but it was edited"
    ):
        export(named, out=out, form=ExportForm.SPEC)
