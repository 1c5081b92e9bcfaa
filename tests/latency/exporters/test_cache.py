"""Blocks as files: flat modules, content digests and the cache, with an exporter that writes a line of text."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import nn

from latency.blocks.modules import Inputs, ModuleCall, isolated_blocks, whole_model
from latency.exporters.cache import ExportCache, content_digest, default_cache_folder, weight_files
from latency.exporters.flat import FlatModule
from latency.exporters.formats import Converter, ModelFormat
from latency.testing.backend_laws import TINY_UNET
from search_spaces import BlockKind, space_from_config
from search_spaces.supernet import Supernet
from tests.latency.strategies import TOKENS


class TextExporter:
    format = ModelFormat.ONNX
    suffix = ".txt"

    def __init__(self, *, version="1", fails=False):
        self.converter = Converter(name="text", version=version)
        self.num_written, self.fails = 0, fails

    def write(self, module, inputs, path):
        path.with_name(f"{path.name}.data").write_text("weights")
        if self.fails:
            raise RuntimeError("no such operator")
        path.write_text(" ".join(inputs))
        self.num_written += 1


@torch.no_grad()
def test_a_flat_module_takes_named_tensors_and_returns_what_the_call_returns(tiny_calls):
    names = set()
    for call in tiny_calls.values():
        flat = FlatModule(call)
        expected = call.module(*call.args, **call.kwargs)
        assert torch.equal(flat(*flat.inputs.values()), expected[0] if isinstance(expected, tuple) else expected)
        names.add(tuple(flat.inputs))
    assert ("sample", "timestep", "encoder_hidden_states") in names
    assert ("input_tensor", "temb") in names
    assert ("hidden_states", "encoder_hidden_states") in names


@torch.no_grad()
def test_tensors_in_a_dict_become_inputs_of_their_own():
    config = TINY_UNET | {
        "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 58,
    }  # fmt: skip
    unet = UNet2DConditionModel(**config).eval()
    inputs = Inputs(unet, batch=2, context_tokens=TOKENS, seed=0)
    call = whole_model(unet, inputs, space=space_from_config(unet.config), height=9, width=9)
    flat = FlatModule(call)
    assert tuple(flat.inputs) == ("sample", "timestep", "encoder_hidden_states", "text_embeds", "time_ids")
    assert torch.equal(flat(*flat.inputs.values()), call.module(*call.args, **call.kwargs)[0])


def test_every_task_has_content_of_its_own_and_weights_are_no_part_of_it(tiny, tiny_calls):
    exporter = TextExporter()
    digests = {task: content_digest(FlatModule(call), exporter) for task, call in tiny_calls.items()}
    assert len(set(digests.values())) == len(digests)
    torch.manual_seed(1)
    other = Supernet(UNet2DConditionModel(**TINY_UNET), space=tiny.space)
    calls = isolated_blocks(other, Inputs(other.unet, batch=1, context_tokens=TOKENS, seed=5), height=9, width=9)
    assert {task: content_digest(FlatModule(call), exporter) for task, call in calls.items()} == {
        task: digest for task, digest in digests.items() if task in calls
    }


def attention_call(tiny_calls):
    return next(call for s, call in tiny_calls.items() if getattr(s, "kind", None) is BlockKind.CROSS_ATTENTION)


def test_whatever_changes_the_time_changes_the_content(tiny_calls):
    call = attention_call(tiny_calls)

    def digest(call, exporter=None):
        return content_digest(FlatModule(call), exporter or TextExporter())

    def changed(edit):
        module = copy.deepcopy(call.module)
        edit(module)
        return digest(replace(call, module=module))

    batch_2 = ModuleCall(
        module=call.module,
        args=tuple(torch.cat([a, a]) for a in call.args),
        kwargs=call.kwargs | {"encoder_hidden_states": torch.cat([call.kwargs["encoder_hidden_states"]] * 2)},
    )
    half = ModuleCall(
        module=copy.deepcopy(call.module).half(),
        args=tuple(a.half() for a in call.args),
        kwargs=call.kwargs | {"encoder_hidden_states": call.kwargs["encoder_hidden_states"].half()},
    )
    attention = "transformer_blocks.0.attn1"
    digests = [
        digest(call),
        digest(batch_2),
        digest(half),
        digest(call, TextExporter(version="2")),
        changed(lambda module: module.get_submodule(attention).set_processor(AttnProcessor())),
        changed(lambda module: setattr(module.get_submodule(attention), "heads", 4)),
        changed(lambda module: setattr(module.norm, "num_groups", 2)),
        changed(lambda module: module.transformer_blocks.append(copy.deepcopy(module.transformer_blocks[0]))),
        changed(lambda module: setattr(module.transformer_blocks[0].ff.net, "0", nn.Identity())),
    ]
    assert len(set(digests)) == len(digests)
    assert digest(call) == digests[0]


def test_what_was_exported_once_is_not_exported_again(tiny_calls, tmp_path):
    call, exporter, cache = attention_call(tiny_calls), TextExporter(), ExportCache(tmp_path / "cache")
    file = cache.file_of(call, exporter)
    assert file.read_text() == "hidden_states encoder_hidden_states"
    assert weight_files(file) == (tmp_path / "cache" / f"{file.name}.data",)
    assert cache.file_of(call, exporter) == ExportCache(tmp_path / "cache").file_of(call, exporter) == file
    assert exporter.num_written == 1
    cache.file_of(call, TextExporter(version="2"))
    assert len(list((tmp_path / "cache").iterdir())) == 6, "each with its weights and its digests"


def test_what_is_removed_goes_with_its_weights_and_nothing_else(tiny_calls, tmp_path):
    exporter, cache = TextExporter(), ExportCache(tmp_path)
    calls = list(tiny_calls.values())
    kept, gone = (cache.file_of(call, exporter) for call in calls[:2])
    cache.remove(calls[1], exporter)
    assert sorted(tmp_path.iterdir()) == sorted((kept, *weight_files(kept), kept.with_suffix(".sha256.json")))
    cache.remove(calls[1], exporter)
    assert cache.file_of(calls[1], exporter) == gone
    assert gone.exists()


def test_an_export_that_fails_leaves_nothing(tiny_calls, tmp_path):
    with pytest.raises(RuntimeError, match="no such operator"):
        ExportCache(tmp_path).file_of(attention_call(tiny_calls), TextExporter(fails=True))
    assert list(tmp_path.iterdir()) == []


def test_types_that_runtimes_cannot_be_given_are_refused(tmp_path):
    call = ModuleCall(module=nn.Linear(2, 2).bfloat16(), args=(torch.ones(1, 2, dtype=torch.bfloat16),))
    with pytest.raises(ValueError, match="float32 or float16, but got bfloat16"):
        ExportCache(tmp_path).file_of(call, TextExporter())


def test_the_default_cache_lies_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "snapfusion-nas" / "blocks"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / ".cache" / "snapfusion-nas" / "blocks"


def test_large_weights_lie_beside_an_onnx_file_which_names_no_path_of_this_machine(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    ort = pytest.importorskip("onnxruntime")
    from latency.exporters import to_onnx

    monkeypatch.setattr(to_onnx, "MAX_INLINE_BYTES", 0)
    torch.manual_seed(0)
    call = ModuleCall(module=nn.Sequential(nn.Linear(64, 64), nn.SiLU()), args=(torch.ones(1, 64),))
    file = ExportCache(tmp_path).file_of(call, to_onnx.OnnxExporter())
    (weights,) = weight_files(file)
    assert weights.stat().st_size >= 4 * 64 * 64 > file.stat().st_size
    assert str(tmp_path).encode() not in file.read_bytes()
    assert b".py" not in file.read_bytes()
    (output,) = ort.InferenceSession(file).run(None, {"input": call.args[0].numpy()})
    np.testing.assert_allclose(output, call.module(*call.args).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("damage", ["emptied", "another", "weights", "seal", "no seal"])
def test_what_is_no_longer_what_was_exported_is_exported_again(tiny_calls, tmp_path, damage):
    exporter, cache = TextExporter(), ExportCache(tmp_path)
    file, other = (cache.file_of(call, exporter) for call in list(tiny_calls.values())[:2])
    seal, (weights,) = file.with_suffix(".sha256.json"), weight_files(file)
    content = file.read_bytes()
    match damage:
        case "emptied":
            file.write_bytes(b"")
        case "another":
            file.write_bytes(other.read_bytes() + b".")
        case "weights":
            weights.unlink()
        case "seal":
            seal.write_text("[1]")
        case _:
            seal.unlink()  # as earlier versions left it
    assert cache.file_of(next(iter(tiny_calls.values())), exporter) == file
    assert (file.read_bytes(), weights.read_text(), exporter.num_written) == (content, "weights", 3)
