"""Paths among the settings of plugins: those that a score or a latency source declares."""

from pathlib import Path
from typing import Any

import pytest

from nas.config.loading import ConfigError, load_config
from nas.evaluation import registry
from search_spaces.shapes import OPEN_CLIP_DIR
from tests.nas.config.test_loading import write


class Palette:
    """A score with a file of its own."""

    paths = ("palette",)

    def __init__(self, setting: Any, /, *, palette: str, title: str = "") -> None: ...


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch) -> type[Palette]:
    monkeypatch.setattr(registry, "BUILT_IN", {**registry.BUILT_IN, "palette": Palette})
    return Palette


@pytest.mark.usefixtures("score")
def test_a_score_gets_the_paths_that_it_declares_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shell").mkdir()
    monkeypatch.chdir(tmp_path / "shell")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = write(tmp_path, score={"name": "palette", "settings": {"palette": "p.json", "title": "a/b"}})
    settings = load_config(path).score.settings
    assert settings == {"palette": str(tmp_path / "p.json"), "title": "a/b"}
    for given, expected in (("p.json", tmp_path / "shell" / "p.json"), ("~/p.json", tmp_path / "home" / "p.json")):
        typed = load_config(path, overrides=[f"score.settings.palette={given}"])
        assert typed.score.settings["palette"] == str(expected)
        assert typed.identity() == load_config(path).identity()


def test_a_score_that_declares_what_it_does_not_take_is_named(
    tmp_path: Path, score: type[Palette], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "paths", ("colours",))
    path = write(tmp_path, score={"name": "palette", "settings": {"palette": "p.json"}})
    with pytest.raises(ConfigError, match=r"`paths` of the score `palette` must be .* but is \('colours',\)"):
        load_config(path)


@pytest.mark.parametrize("by", ["clip_change", "clip_glimpse"])
def test_a_score_that_looks_through_clip_names_it_as_the_section_clip_does(tmp_path: Path, by: str) -> None:
    (tmp_path / "mine").mkdir()

    def screened(**settings: Any) -> Any:
        path = write(tmp_path, clip={"model": "shapes"}, scoring={"screen": "alone", "by": by, "settings": settings})
        return load_config(path).scoring.settings

    assert screened(model="shapes") == {"model": str(OPEN_CLIP_DIR)}
    assert screened(model="mine") == {"model": str(tmp_path / "mine")}
    assert screened(model="ViT-g-14", pretrained="a_tag") == {"model": "ViT-g-14", "pretrained": "a_tag"}
    weights = screened(model="ViT-g-14", pretrained="own.safetensors")
    assert weights == {"model": "ViT-g-14", "pretrained": str(tmp_path / "own.safetensors")}
    own = load_config(write(tmp_path, clip=None, score={"name": by, "settings": {"model": "shapes"}}))
    assert own.score.settings == {"model": str(OPEN_CLIP_DIR)}
