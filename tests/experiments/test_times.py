"""Times of pictures side by side: how models are asked for, and what a row says."""

from pathlib import Path

import pytest

from experiments.distillation.times import asked, main, table
from nas.stages.times import measure_times
from search_spaces.files.user_error import UserError
from tests.folders import write_small_pipeline


@pytest.mark.parametrize("text", ["shapes", "shapes:4", "shapes:0:2", "shapes:4:x", ":4:2"])
def test_what_is_asked_otherwise_is_refused_with_how_to(text: str) -> None:
    with pytest.raises(UserError, match=r"FOLDER:STEPS:GUIDANCE, such as shapes:50:2, but got"):
        asked(text)


def test_a_picture_is_its_text_its_steps_and_its_decoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a:b"
    write_small_pipeline(folder)
    model, steps, guidance = asked(f"{folder}:3:1.5")
    assert (model.path, steps, guidance) == (folder, 3, 1.5)
    times = measure_times({"one": (model, 1, 1.0), "four": (model, 4, 1.0)}, threads=1, max_rounds=2)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(times).splitlines()[2:]]
    for (name, text, step, decoder, num, whole, less), each in zip(rows, times.values(), strict=True):
        assert [text, step, decoder] == [f"{part.median_ms:.1f}" for part in each.times.values()]
        assert each.total_ms == pytest.approx(
            each.times["text encoder"].median_ms + int(num) * each.times["UNet step"].median_ms
            + each.times["decoder"].median_ms
        )  # fmt: skip
        assert (name, whole) == ({1: "one", 4: "four"}[int(num)], f"{each.total_ms:,.0f}")
        assert less == f"{times['one'].total_ms / each.total_ms:.1f}"
    main([f"{folder}:1:1"])
    assert capsys.readouterr().out.splitlines()[-1].endswith("| 1.0 |")
