import copy
import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency.kits.manifest import EmptyFile, ManifestError
from latency.kits.manifest_file import (
    check_files,
    from_document,
    read_manifest,
    results_template,
    to_document,
    write_manifest,
)
from search_spaces.files.digests import sha256_of
from search_spaces.files.strict_json import parse_json
from tests.latency.importers.test_corruption import mutated_bytes, mutated_values
from tests.latency.manifests import manifest, on_disk
from tests.leisure import examples

MANIFEST = manifest()


def test_a_manifest_survives_its_file(tmp_path):
    write_manifest(MANIFEST, tmp_path)
    assert read_manifest(tmp_path) == read_manifest(tmp_path / "manifest.json") == MANIFEST
    assert (tmp_path / "results.csv").read_bytes().decode() == results_template(MANIFEST)
    (tmp_path / "results.csv").write_text("mine")
    write_manifest(MANIFEST, tmp_path)
    assert (tmp_path / "results.csv").read_text() == "mine"


def test_a_manifest_without_an_empty_model_is_one_of_an_earlier_kit(tmp_path):
    document = to_document(manifest(empty=EmptyFile(file="blocks/empty_call.onnx", sha256="0" * 64)))
    assert from_document(document).entries[-1] == EmptyFile(**document["empty"])
    del document["empty"]
    assert from_document(document) == MANIFEST
    with pytest.raises(ManifestError, match=r"empty\.colour: is no key"):
        from_document(document | {"empty": {"file": "a", "sha256": "b", "colour": 1}})


def test_the_template_has_a_line_per_file():
    head, *lines = results_template(MANIFEST).splitlines()
    assert head == "file,median_ms,p10_ms,p90_ms,min_ms,mean_ms,std_ms,num_samples"
    assert [line.split(",")[0] for line in lines] == [entry.file for entry in MANIFEST.entries]


def edited(path, value):
    document = copy.deepcopy(to_document(MANIFEST))
    part = document
    for step in path[:-1]:
        part = part[step]
    if value is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("schema_version",), 2, "`schema_version` 1, but got 2"),
        (("colour",), 1, "colour: is no key of the schema"),
        (("format",), "tflite3", "format: must be 'onnx'"),
        (("workload",), ..., "workload: must be there"),
        (("workload", "batch"), "1", "workload.batch: must be a valid integer, but got '1'"),
        (("workload", "temb_channels"), 99, "workload.temb_channels: must be the space's 32, but got 99"),
        (("workload", "colour"), 1, "workload.colour: is no key"),
        (("converter", "options"), {"a": 1}, "converter.options[0][1]: must be a valid string, but got 1"),
        (("blocks",), [], "`blocks` must hold at least one file"),
        (("blocks", 0, "file"), "/etc/x.onnx", "must be a path inside the manifest's folder"),
        (("blocks", 0, "file"), "../x.onnx", "must be a path inside the manifest's folder"),
        (("blocks", 0, "file"), "a\\x.onnx", "must be a path inside the manifest's folder"),
        (("blocks", 0, "file"), "whole/0.pte", "files must differ in their stems, but got"),
        (("blocks", 0, "sites"), ["up"], "`sites` must be the base model's"),
        (("blocks", 0, "kind"), "resnext", "blocks[0].kind: must be 'resnet'"),
        (("blocks", 0, "kind"), "rest", "the rest is no block and has no file"),
        (("blocks", 0, "height"), -1, "blocks[0]: numbers of a block signature must be from 0"),
        (("blocks", 0, "depth"), 1, "blocks[0].depth: is no key"),
        (("whole_models", 0), 7, "whole_models[0]: must be an object, but got 7"),
        (("whole_models", 0, "arch_id"), "abc", "whole_models[0].arch_id: must be"),
        (("whole_models", 0, "architecture"), {}, "whole_models[0].architecture: an architecture must have"),
        (("space", "stages"), [], "space.stages: must be down.0 .., mid, up.0 .."),
        (("space", "max_copies"), 10**9, "space.max_copies: must be 0 to 64"),
        (("space", "stages", 0, "heads"), 0, "space.down.0.channels and heads: must be at least 1"),
        (("space", "stages", 0, "depths"), [1] * 1000, "space.down.0.depths: must be 1 to 64 numbers"),
    ],
)
def test_bad_manifests_are_refused_with_the_place(path, value, words):
    with pytest.raises(ManifestError) as error:
        from_document(json.loads(json.dumps(edited(path, value))))
    assert words in str(error.value)


def test_all_violations_are_reported_at_once(tmp_path):
    document = edited(("colour",), 1)
    document["workload"]["batch"] = None
    document["blocks"][3]["height"] = "tall"
    document["whole_models"][1]["arch_id"] = ""
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ManifestError) as error:
        read_manifest(tmp_path)
    head, *lines = str(error.value).splitlines()
    assert "manifest.json is not a manifest that can be used" in head
    assert [line.partition(":")[0] for line in lines] == [
        "colour", "whole_models[1].arch_id", "workload.batch", "blocks[3].height",
    ]  # fmt: skip


def test_laws_between_files():
    first, second = MANIFEST.whole_models[:2]
    with pytest.raises(ManifestError, match="the first whole model must be the base model"):
        replace(MANIFEST, whole_models=(second, first))
    with pytest.raises(ManifestError, match="an architecture has one file"):
        replace(MANIFEST, whole_models=(first, replace(first, file="whole/again.onnx")))
    with pytest.raises(ManifestError, match="a key has one file"):
        replace(MANIFEST, blocks=(*MANIFEST.blocks, replace(MANIFEST.blocks[0], file="again.onnx")))


def test_files_must_lie_beside_as_they_were_written(tmp_path):
    made = on_disk(tmp_path)
    check_files(made, tmp_path)
    (tmp_path / made.blocks[0].file).unlink()
    (tmp_path / made.blocks[1].file).write_text("another")
    with pytest.raises(ManifestError) as error:
        check_files(made, tmp_path)
    absent, changed, remedy = str(error.value).splitlines()
    assert absent.startswith(f"{made.blocks[0].file}: must lie in")
    assert changed.startswith(f"{made.blocks[1].file}: must have SHA-256")
    assert "nas latency init" in remedy


def test_a_folder_has_a_digest_of_names_and_contents(tmp_path):
    package = tmp_path / "a.mlpackage"
    (package / "Data").mkdir(parents=True)
    (package / "Data" / "weights").write_bytes(b"1")
    (package / "Manifest.json").write_bytes(b"2")
    first = sha256_of(package)
    assert first == sha256_of(package)
    (package / "Manifest.json").rename(package / "manifest.json")
    assert sha256_of(package) != first


def test_a_missing_manifest_says_who_writes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="nas latency init"):
        read_manifest(tmp_path)


@given(st.integers(0, 2**32))
@examples(150)
def test_corrupted_manifests_are_read_or_refused(seed):
    check_corrupted(seed)


@pytest.mark.slow
def test_thousands_of_corrupted_manifests_are_read_or_refused():
    for seed in range(3000):
        check_corrupted(seed)


def check_corrupted(seed):
    rng = random.Random(seed)
    data = json.dumps(mutated_values(DOCUMENT, rng) if rng.random() < 0.7 else DOCUMENT).encode()
    if rng.random() < 0.4:
        data = mutated_bytes(data, rng)
    try:
        from_document(parse_json(data))
    except ValueError as error:
        assert type(error).__name__ in ("ManifestError", "LatencyTableError", "JsonError")  # noqa: PT017


DOCUMENT = to_document(MANIFEST)
