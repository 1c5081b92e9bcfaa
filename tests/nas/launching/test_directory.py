"""The directory of a training: whose it is, who is in it, and what stands there when it is done."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from nas.launching.directory import TrainingDirectory, TrainingDirectoryError

IDENTITY: dict[str, Any] = {"seed": 1, "origin": {"model": "abc"}}
CONTENTS = {"model": "abc", "pictures": "def"}


def opened(path: Path, identity: dict[str, Any] = IDENTITY, **contents: str) -> Any:
    return TrainingDirectory(path).opened(identity, contents=CONTENTS | contents)


def test_a_new_one_is_made_and_says_what_it_was_told(tmp_path: Path) -> None:
    folder = TrainingDirectory(tmp_path / "deep" / "out")
    with opened(folder.path):
        assert yaml.safe_load(folder.settings.read_text()) == IDENTITY | {"contents": CONTENTS}
    with opened(folder.path):
        assert {path.name for path in folder.path.iterdir()} == {"training.yaml", "training.jsonl"}


def test_places_have_the_names_that_the_docs_have(tmp_path: Path) -> None:
    folder = TrainingDirectory(tmp_path)
    places = (folder.settings, folder.state, folder.curve, folder.pipeline, folder.events, folder.sheet(500))
    assert [str(place.relative_to(tmp_path)) for place in places] == [
        "training.yaml", "state.safetensors", "training.jsonl", "pipeline", "tensorboard", "samples/step-000500.png",
    ]  # fmt: skip


def test_one_process_is_in_it_at_a_time_however_that_ends(tmp_path: Path) -> None:
    def fail_inside() -> None:
        with opened(tmp_path / "out"):
            with pytest.raises(TrainingDirectoryError, match="another process is training"), opened(tmp_path / "out"):
                raise AssertionError("nobody else can be in it")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    with opened(tmp_path / "out"):
        pass


def test_another_training_is_refused_with_what_differs(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    with (
        pytest.raises(TrainingDirectoryError, match=r"-seed: 1\n\+seed: 2\n"),
        opened(tmp_path, IDENTITY | {"seed": 2}),
    ):
        raise AssertionError("it is of another training")
    with (
        pytest.raises(TrainingDirectoryError, match=r"`pictures` \(it was def and is xyz\)"),
        opened(tmp_path, pictures="xyz"),
    ):
        raise AssertionError("its pictures are others")
    with opened(tmp_path):
        pass  # nothing of it was touched


def test_what_earlier_versions_did_not_write_is_not_compared(tmp_path: Path) -> None:
    (tmp_path / "training.yaml").write_text("seed: 1\n")
    with opened(tmp_path, IDENTITY | {"origin": {"model": "other"}}, model="other"):
        pass
    with pytest.raises(TrainingDirectoryError, match="holds another training"), opened(tmp_path, {"seed": 2}):
        raise AssertionError("it is of another training")


@pytest.mark.parametrize(
    ("name", "content", "is_ours"),
    [
        ("training.jsonl", b"", True),  # locked, and then killed
        ("training.jsonl", b"{}", False),
        ("notes.txt", b"", False),
    ],
)
def test_only_what_a_training_killed_at_its_birth_left_may_stand_there(
    tmp_path: Path, name: str, content: bytes, is_ours: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    if is_ours:
        with opened(tmp_path):
            assert (tmp_path / "training.yaml").is_file()
        return
    with (
        pytest.raises(TrainingDirectoryError, match="is not empty and not the directory of a training"),
        opened(tmp_path),
    ):
        raise AssertionError("it is of no training")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: content}


def test_its_end_says_what_it_gave_and_lets_the_state_go(tmp_path: Path) -> None:
    folder = TrainingDirectory(tmp_path)
    assert folder.trained() is None
    folder.end({"num_steps": 0})  # no step, no state
    folder.state.write_bytes(b"state")
    folder.end({"num_steps": 5})
    assert folder.trained() == {"num_steps": 5}
    assert not folder.state.exists()
