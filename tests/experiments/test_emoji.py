"""A font's emoji as captioned pictures: each once, named as Unicode names it, read and trained on as any other."""

import json
import re
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.command import run
from experiments.emoji.__main__ import main, write_emoji
from experiments.emoji.font import FONT, PACKAGE, read_font
from experiments.emoji.names import caption_of
from nas.pipelines.model_folder import ModelFolder
from nas.training.data.encoding import Encoder
from nas.training.data.opening import open_training_data
from nas.training.data.settings import DataSettings
from search_spaces.files.user_error import UserError
from search_spaces.shapes import PIPELINE_DIR

needs_font = pytest.mark.skipif(not FONT.is_file(), reason=f"there is no {FONT}: apt-get install {PACKAGE}")


@pytest.mark.parametrize(
    ("characters", "caption"),
    [
        ("\U0001f600", "grinning face"),
        ("\u2764\ufe0f", "red heart"),
        ("\U0001f468\U0001f3ff\u200d\U0001f680", "man, dark skin, rocket"),
        ("\U0001f3c3\u200d\u2640\ufe0f", "runner, woman"),
        ("\U0001f6b6\u200d\u27a1\ufe0f", "pedestrian, facing right"),
        ("7\ufe0f\u20e3", "keycap digit seven"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "flag of GB-ENG"),
        ("\U0001f1e6", None),
        ("\U0010ffff", None),
    ],
)
def test_what_an_emoji_shows_is_said_in_unicodes_words(characters: str, caption: str | None) -> None:
    assert caption_of([ord(each) for each in characters]) == caption


def test_flags_are_of_regions_or_of_their_letters() -> None:
    assert caption_of([0x1F1E9, 0x1F1EA]) in ("flag of Germany", "flag of DE")


def test_an_absent_font_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"there is no font .*; `apt-get install {PACKAGE}`"):
        read_font(tmp_path / "absent.ttf")
    (tmp_path / "text.ttf").write_text("no font", encoding="utf-8")
    with pytest.raises(UserError, match=r"text\.ttf must be a font, but is not"):
        read_font(tmp_path / "text.ttf")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("emoji") / "set"
    write_emoji(out, size_px=16, num=250)
    return out


@needs_font
def test_nearly_every_picture_of_the_font_has_words() -> None:
    captions = {each.name: caption_of(each.characters) for each in read_font().emoji}
    assert len(captions) > 3000, "3,903 in version 2.042 of the font"
    assert list(captions.values()).count(None) < len(captions) / 20
    assert captions["1f415"] == "dog"
    assert captions["1f3c3_200d_2640"] == "runner, woman", "not as text from right to left has it"
    assert not [name for name in captions if re.match(r"264[02]_|27a1_", name)]


@needs_font
def test_every_emoji_is_a_picture_with_words(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len({row["file_name"] for row in rows}) == len(rows)
    assert 240 < len(rows) <= 250
    assert {"file_name": "26bd.png", "text": "soccer ball"} in rows
    with Image.open(folder / "2764.png") as image:
        assert (image.size, image.mode) == ((16, 16), "RGB")
        pixels = np.asarray(image).astype(int)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[8, 8, 0] > 180 > 100 > pixels[8, 8, 2], "the red heart is red"
    assert "SIL Open Font License" in (folder / "LICENSE.txt").read_text(encoding="utf-8")


@needs_font
def test_emoji_are_training_data_as_any_other_folder(folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()[:64]
    (few / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for line in lines:
        name = json.loads(line)["file_name"]
        (few / name).write_bytes((folder / name).read_bytes())
    encoder = Encoder.of_model(ModelFolder(PIPELINE_DIR), latent_size=(4, 4))
    data = open_training_data(few, settings=DataSettings(), encoder=encoder, cache=tmp_path / "cache")
    batches = list(islice(data.batches(seed=0, size=8, caption_dropout=0.1), 4))
    assert all(batch.latents.isfinite().all() for batch in batches)
    assert len({name for batch in batches for name in batch.pictures}) > 16
    spread = torch.cat([batch.latents for batch in batches]).std()
    assert 0.1 < spread < 10, "about as the UNet expects"


def test_the_command_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["emoji", "--out", str(tmp_path / "set"), "--font", str(tmp_path / "absent.ttf")])
    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: there is no font")
    assert not (tmp_path / "set").exists()
