"""Captions are embedded once, by whoever comes first; everybody else reads files that are believed only when sound."""

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import nas.evaluation.captions.embedder
from latency.pricing.scenario import Dtype
from nas.evaluation.captions.file import CaptionFileError, write_captions
from nas.evaluation.captions.known import CaptionFolder, CaptionWarning
from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.text_encoders import TextEncoders
from nas.scores.prompts import ValidationSet
from nas.testing.scores import CAPTIONS
from search_spaces.files.durable.parts import LeftoverWarning
from search_spaces.shapes import PIPELINE_DIR
from tests.folders import write_pipeline
from tests.warm import PROCESSES, exit_code

MADE_BY = "a machine of this test"


@pytest.fixture
def setting(small_setting: ScoreSetting, tmp_path: Path) -> ScoreSetting:
    """Five prompts in chunks of two, whose captions are embedded into a folder."""
    (tmp_path / "embedded").mkdir()
    return sharing(small_setting, tmp_path / "embedded")


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """What text encoders are given, in whatever setting of this process."""
    seen, encode = list[Sequence[str]](), TextEncoders.encode

    def watched(encoders: TextEncoders, captions: Sequence[str], /, **kwargs: Any) -> Conditioning:
        seen.append(captions)
        return encode(encoders, captions, **kwargs)

    monkeypatch.setattr(TextEncoders, "encode", watched)
    return seen


@pytest.fixture
def no_encoders(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, loading text encoders is an error."""

    def heavy(*args: object) -> None:
        raise AssertionError("text encoders were loaded")

    return lambda: monkeypatch.setattr(nas.evaluation.captions.embedder, "load_text_encoders", heavy)


def sharing(setting: ScoreSetting, folder: Path, *, made_by: str = MADE_BY) -> ScoreSetting:
    """A fresh setting, as another worker has it."""
    return replace(setting, embedded=CaptionFolder(path=folder, made_by=made_by))


def again(setting: ScoreSetting, **changes: Any) -> ScoreSetting:
    return replace(setting, **changes)


def everything(setting: ScoreSetting) -> list[torch.Tensor]:
    """All that UNets are told in a setting."""
    empty = setting.empty  # first, as whoever draws asks for it
    chunks = [setting.conditioning(chunk) for chunk in range(setting.validation.num_chunks)]
    parts = [part for text in (empty, *chunks) for part in (text.embeddings, text.pooled, text.time_ids)]
    return [part for part in parts if part is not None]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def files(setting: ScoreSetting) -> list[Path]:
    assert setting.embedded is not None
    return sorted(setting.embedded.path.rglob("*.safetensors"))


@pytest.mark.parametrize("kind", ["small", "koala"])
def test_files_hold_the_bits_that_memory_does_and_then_nobody_loads_text_encoders(
    kind: str, setting: ScoreSetting, tmp_path: Path, embedded: list[Sequence[str]], no_encoders: Callable[[], None]
) -> None:
    if kind == "koala":  # two text encoders, and sizes
        model = ModelFolder(write_pipeline(tmp_path / kind, kind=kind, width=32))
        setting = again(setting, model=model, latent_shape=(4, 8, 8))
    in_memory = everything(again(setting, embedded=None))
    assert len(in_memory) == {"small": 4, "koala": 12}[kind]
    embedded.clear()
    assert same(everything(again(setting)), in_memory)
    assert [len(captions) for captions in embedded] == [1, 2, 2, 1]
    no_encoders()
    second = again(setting)
    assert same(everything(second), in_memory)
    assert same(everything(second.first(3)), [*everything(second)[: len(in_memory) // 2], *cut(second)])


def cut(setting: ScoreSetting) -> list[torch.Tensor]:
    """What the first row of the second chunk is: it was embedded with the row that follows it."""
    row = setting.conditioning(1)[:1]
    return [part for part in (row.embeddings, row.pooled, row.time_ids) if part is not None]


def test_a_start_embeds_the_empty_caption_alone_and_autocast_changes_no_bit(
    setting: ScoreSetting, embedded: list[Sequence[str]]
) -> None:
    """A start has a time limit; and what first asks for captions may run in a lower precision."""
    expected = everything(again(setting, embedded=None))
    embedded.clear()
    Drawer(setting)
    assert embedded == [("",)]
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        assert same(everything(setting), expected)
    assert not any(part.is_inference() for part in everything(again(setting, embedded=None)))


@pytest.mark.parametrize(
    "change",
    [
        lambda setting: sharing(setting, setting.embedded.path, made_by="another machine"),
        lambda setting: again(setting, execution=replace(setting.execution, precision=Dtype.BFLOAT16)),
        lambda setting: again(setting, execution=replace(setting.execution, channels_last=True)),
        lambda setting: again(setting, latent_shape=(4, 16, 16)),
        lambda setting: with_threads(setting, 2),
        lambda setting: with_another(setting, change=add_a_line),
        lambda setting: with_another(setting, change=move_a_weight),
    ],
)
def test_what_may_move_a_bit_has_files_of_its_own(
    change: Callable[[ScoreSetting], ScoreSetting], setting: ScoreSetting, embedded: list[Sequence[str]]
) -> None:
    everything(setting)
    before, num = files(setting), len(embedded)
    everything(change(setting))
    torch.set_num_threads(1)
    assert len(files(setting)) == 2 * len(before)
    assert len(embedded) == 2 * num


def with_threads(setting: ScoreSetting, num: int) -> ScoreSetting:
    torch.set_num_threads(num)
    return again(setting)


def with_another(setting: ScoreSetting, *, change: Callable[[Path], None]) -> ScoreSetting:
    folder = Path(shutil.copytree(setting.model.path, setting.embedded.path.with_name("model")))
    change(folder)
    return again(setting, model=ModelFolder(folder))


def add_a_line(folder: Path) -> None:
    with (folder / "tokenizer" / "merges.txt").open("a", encoding="utf-8") as merges:
        merges.write("\n")


def move_a_weight(folder: Path) -> None:
    path = folder / "text_encoder" / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if name.endswith("final_layer_norm.bias"))
    save_file(weights | {name: weights[name] + 1e-3}, path, metadata={"format": "pt"})


def test_sets_share_chunks_that_are_the_same_and_no_others(
    setting: ScoreSetting, embedded: list[Sequence[str]]
) -> None:
    everything(setting)
    embedded.clear()
    first, rest = setting.validation.prompts[:4], setting.validation.prompts[4:]
    everything(setting.on(replace(setting.validation, prompts=(*first, *rest, *first[:1]))))
    everything(again(setting, validation=replace(setting.validation, chunk_size=4)))
    captions = tuple(prompt.caption for prompt in (*first, *rest, *first[:1]))
    assert embedded == [captions[4:6], captions[:4]], "the last chunk of one, which is the whole set's"


def embed_in_a_process(setting: ScoreSetting, out: Path) -> None:
    seen, encode = list[Sequence[str]](), TextEncoders.encode

    def watched(encoders: TextEncoders, captions: Sequence[str], /, **kwargs: Any) -> Conditioning:
        seen.append(captions)
        return encode(encoders, captions, **kwargs)

    TextEncoders.encode = watched  # type: ignore[method-assign]
    torch.set_num_threads(1)
    everything(setting)
    out.write_text(str(len(seen)))


def test_of_workers_that_begin_together_one_embeds_and_the_others_read(setting: ScoreSetting, tmp_path: Path) -> None:
    together = [
        PROCESSES.Process(target=embed_in_a_process, args=(setting, tmp_path / str(number))) for number in range(3)
    ]
    for process in together:
        process.start()
    for process in together:
        process.join(120)
        assert process.exitcode == 0
    told = [int((tmp_path / str(number)).read_text()) for number in range(3)]
    assert sum(told) == 4, "three chunks and the empty caption"
    assert same(everything(again(setting)), everything(again(setting, embedded=None)))


def embed_until_killed(setting: ScoreSetting, num_writes: int) -> None:
    """Get SIGKILL in the middle of a file's writing."""
    left, replaced = num_writes, os.replace

    def deadly(*args: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        replaced(*args)

    os.replace = deadly  # type: ignore[assignment]
    torch.set_num_threads(1)
    everything(setting)


def test_a_killed_worker_leaves_whole_files_alone_and_hinders_nobody(
    setting: ScoreSetting, embedded: list[Sequence[str]]
) -> None:
    assert exit_code(embed_until_killed, setting, 3) == -signal.SIGKILL
    assert len(files(setting)) == 3, "two and what was being written"
    assert len([path for path in files(setting) if path.parent.suffix == ".part"]) == 1
    with pytest.warns(LeftoverWarning, match="removed what killed processes left half-written"):
        found = everything(again(setting))
    assert [len(captions) for captions in embedded] == [2, 1]
    assert same(found, everything(again(setting, embedded=None)))
    assert not list(setting.embedded.path.rglob("*.part"))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def become_nonsense(path: Path) -> None:
    path.write_bytes(b"no safetensors file")


def take_anothers_place(path: Path) -> None:
    path.write_bytes(next(each for each in sorted(path.parent.iterdir()) if each != path).read_bytes())


def forget_what_it_is(path: Path) -> None:
    save_file(load_file(path), path)


def widen(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        told = file.metadata()
    save_file({name: torch.cat([each, each]) for name, each in load_file(path).items()}, path, metadata=told)


DAMAGES = (cut_short, flip_a_bit, become_nonsense, take_anothers_place, forget_what_it_is, widen)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_damaged_or_anothers_is_told_and_made_again(
    damage: Callable[[Path], None], setting: ScoreSetting, embedded: list[Sequence[str]]
) -> None:
    expected = everything(setting)
    path, before = files(setting)[0], [each.read_bytes() for each in files(setting)]
    damage(path)
    embedded.clear()
    with pytest.warns(CaptionWarning, match=rf"^{path} must .*: embedded again$"):
        assert same(everything(again(setting)), expected)
    assert len(embedded) == 1
    assert [each.read_bytes() for each in files(setting)] == before
    assert same(everything(again(setting)), expected), "without a warning"


def test_numbers_that_are_not_finite_are_never_kept(tmp_path: Path) -> None:
    broken = Conditioning(embeddings=torch.tensor([[[1.0, float("nan")]]]))
    with pytest.raises(CaptionFileError, match="must be finite numbers, but their embeddings are not"):
        write_captions(tmp_path / "a.safetensors", broken, made_from="this")
    assert list(tmp_path.iterdir()) == []


def test_where_the_folder_is_not_there_a_worker_holds_its_own_and_says_so(
    setting: ScoreSetting, caplog: pytest.LogCaptureFixture
) -> None:
    expected = everything(again(setting, embedded=None))
    assert not caplog.messages
    shutil.rmtree(setting.embedded.path)
    assert same(everything(setting), expected)
    assert "cannot be written here: this worker keeps all captions in its own memory" in caplog.text
    assert not setting.embedded.path.exists()


def test_a_folder_that_goes_is_not_made_again(setting: ScoreSetting) -> None:
    """The run was moved or deleted: nothing is written to its old place."""
    expected = everything(setting)
    moved = setting.embedded.path.rename(setting.embedded.path.with_name("moved"))
    assert same([setting.conditioning(0).embeddings], expected[1:2])
    everything(setting.on(ValidationSet.from_captions(list(CAPTIONS), seed=1, chunk_size=3)))
    assert not setting.embedded.path.exists()
    assert len(list(moved.rglob("*.safetensors"))) == 4


def become_a_folder(path: Path) -> None:
    path.unlink()
    (path / "inner").mkdir(parents=True)


def lead_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def lose_its_folder_to_a_file(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.touch()


def lose_all(path: Path) -> None:
    shutil.rmtree(path.parent.parent)


SPOILS = (become_a_folder, lead_nowhere, lose_its_folder_to_a_file, lose_all)


@pytest.mark.filterwarnings("ignore::nas.evaluation.captions.known.CaptionWarning")
@pytest.mark.parametrize("is_late", [False, True], ids=["before", "between"])
@pytest.mark.parametrize("spoil", SPOILS)
def test_what_cannot_be_kept_in_the_folder_is_embedded_once_and_held(
    spoil: Callable[[Path], None],
    is_late: bool,
    setting: ScoreSetting,
    embedded: list[Sequence[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is spoilt before a worker needs captions, or when it needed them and reads again."""
    expected = everything(setting)
    worker = again(setting)
    if is_late:
        everything(worker)
    embedded.clear()
    spoil(files(setting)[0])
    for _ in range(3):
        assert same(everything(worker)[1:], expected[1:])  # the empty caption is held anyway
    assert embedded, "what is spoilt is the first chunk's, or all"
    assert len(embedded) == len(set(embedded)), "none twice"
    assert caplog.text.count("in its own memory") == 1


def use_as_somebody_else(setting: ScoreSetting) -> None:
    torch.set_num_threads(1)
    expected = everything(again(setting, embedded=None))  # Python's own files may be closed to who comes
    os.setuid(65534)
    assert same(everything(setting), expected)


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("rights", [0o755, 0o600], ids=["may read", "may not even look"])
def test_in_somebody_elses_folder_what_is_there_is_read_and_the_rest_held(rights: int, setting: ScoreSetting) -> None:
    setting = again(setting, model=ModelFolder(PIPELINE_DIR))
    everything(setting)
    files(setting)[0].unlink()
    files(setting)[0].parent.chmod(rights)
    setting.embedded.path.chmod(0o777)
    for folder in setting.embedded.path.parents[:-2]:
        folder.chmod(0o755)
    before = {path: path.read_bytes() for path in files(setting)}
    assert exit_code(use_as_somebody_else, again(setting)) == 0
    assert {path: path.read_bytes() for path in files(setting)} == before
