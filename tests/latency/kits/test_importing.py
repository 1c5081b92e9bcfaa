import json
from dataclasses import replace
from typing import Any

import pytest

from latency import Device, LatencyTableError, Method, read_table, write_table
from latency.importers import Report
from latency.kits.importing import ImportingError, import_table
from latency.kits.manifest import EmptyFile
from latency.kits.manifest_file import results_template
from latency.kits.matching import read_map
from latency.trust.interpolation import Fill
from search_spaces import BlockKind
from tests.latency.importers.reports import document, measurement, sample, text
from tests.latency.manifests import REST_MS, SPACE, manifest, milliseconds, results, times
from tests.latency.strategies import TOKENS

MANIFEST = manifest()
BLOCK, OTHER = (
    next(b.file for b in MANIFEST.blocks if b.signature.kind is kind) for kind in (BlockKind.RESNET, BlockKind.SHORTCUT)
)


def imported(*reports, of=MANIFEST, **settings):
    defaults: dict[str, Any] = {"device": Device(name="phone"), "runtime_version": "1.0", "runtime_name": "engine"}
    return import_table(of, reports, **(defaults | settings))


def refused(*reports, **settings):
    with pytest.raises(ImportingError) as error:
        imported(*reports, **settings)
    return str(error.value)


def litert(file, ms, **parts):
    latency = dict.fromkeys(("median_ms", "p5_ms", "p95_ms", "min_ms", "avg_ms", "std_ms"), ms) | {"num_runs": 5}
    return document(file.replace("/", "_"), {"model": file, "accelerators": ["CPU"], "latency": latency} | parts)


def test_a_filled_in_csv_becomes_a_table_that_covers_the_space(tmp_path):
    table = imported(results(MANIFEST)).table
    assert table.missing(SPACE.reachable_signatures(context_tokens=TOKENS)) == ()
    by_key = {row.signature: row for row in table.rows if row.signature.kind is not BlockKind.REST}
    assert {key: row.median_ms for key, row in by_key.items()} == {key: milliseconds(key) for key in by_key}
    assert all(row.file == "results.csv" and row.source is Method.ISOLATED for row in by_key.values())
    rest = table.rows[-1]
    assert (rest.signature.kind, rest.source) == (BlockKind.REST, Method.DIFFERENCE)
    assert rest.median_ms == pytest.approx(REST_MS, abs=1e-5)
    assert table.end_to_end.median_ms == times(MANIFEST)["whole/0.onnx"]
    assert table.check.num_subnetworks == 3
    assert table.check.subnetwork_mape < 1e-4
    assert table.check.kendall_tau == 1.0
    write_table(table, tmp_path / "table.json")
    assert read_table(tmp_path / "table.json") == table


def test_provenance_is_complete():
    report = results(MANIFEST)
    table = imported(report, runtime_options=(("threads", "4"),)).table
    assert (table.protocol.importer, table.protocol.method, table.protocol.rounds) == ("csv", Method.ISOLATED, 1)
    assert [(source.name, source.sha256) for source in table.protocol.sources] == [("results.csv", report.sha256)]
    assert table.runtime.options == (("converter.dynamo", "true"), ("threads", "4"))
    assert (table.runtime.name, table.runtime.converter, table.runtime.torch) == (
        "engine", "torch.onnx.export 2.14", "2.14",
    )  # fmt: skip
    assert table.workload == MANIFEST.workload


def test_one_report_per_file_by_name_inside_or_outside():
    values = times(MANIFEST)
    reports = [litert(file, ms) for file, ms in values.items()]
    place, other = (list(values).index(file) for file in (BLOCK, OTHER))
    data = reports[place].data.replace(BLOCK.encode(), b"engine.plan")
    reports[place] = Report(name=f"{BLOCK.split('/')[-1]}.json", data=data)
    reports[other] = Report(name="anything.json", data=reports[other].data)
    table = imported(*reports, runtime_name="").table
    assert (table.runtime.name, table.device.compute_unit) == ("litert", "cpu")
    assert {row.signature: row.median_ms for row in table.rows[:-1]} == {
        block.signature: values[block.file] for block in MANIFEST.blocks
    }
    assert table.rows[other].file == "anything.json"


def test_a_name_with_onnxruntimes_timestamp_is_that_of_its_file():
    small = manifest(whole_models=())
    stem = BLOCK.split("/")[-1].removesuffix(".onnx")
    report = replace_name(sample("onnxruntime_profile_resnet320.json"), f"{stem}_2026-11-23_23-17-42.json")
    message = refused(report, of=small)
    assert f"{BLOCK}: " not in message
    assert f"{OTHER}: " in message


def replace_name(report, name):
    return Report(name=name, data=report.data)


def test_a_trace_of_many_keys_and_a_map():
    small = manifest(whole_models=())
    spans: list[dict[str, Any]] = [
        {
            "cat": "user_annotation",
            "name": f"block:{block.file}",
            "ts": 1e9 * i,
            "dur": 1000 * milliseconds(block.signature),
        }
        for i, block in enumerate(small.blocks)
    ]
    next(span for span in spans if BLOCK in span["name"])["name"] = "block:CrossAttention[0,0]"
    names = read_map(text("map.csv", f'report,file\n"trace.json#CrossAttention[0,0]",{BLOCK}\n'))
    trace = document("trace.json", {"traceEvents": spans})
    table = imported(trace, of=small, names=names).table
    assert [row.median_ms for row in table.rows] == pytest.approx([milliseconds(b.signature) for b in small.blocks])
    assert table.end_to_end is None
    assert "no file of the manifest" in refused(trace, of=small, names={"trace.json#CrossAttention[0,0]": "x.onnx"})
    assert "must be one of the reports" in refused(trace, of=small, names=names | {"y.json": BLOCK})


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "report,file\nx\n", "report,file\nx,y\nx,z\n"])
def test_a_bad_map_is_refused(content):
    with pytest.raises(LatencyTableError, match=r"map\.csv: "):
        read_map(text("map.csv", content))


def test_everything_wrong_is_said_at_once():
    content = results(MANIFEST, **{OTHER: None}).data.decode()
    reports = [
        Report(name="results.csv", data=(content + "stranger.onnx,1\n").encode()),
        text(f"{BLOCK.split('/')[-1]}.csv", f"file,median_ms\n{BLOCK},7\n"),
        text("broken.json", "{"),
        document("resnet_9.json", measurement(1.0)),
    ]
    message = refused(*reports)
    for words in (
        "results.csv#stranger.onnx: must be named after a file of the manifest",
        f"{BLOCK}: must have one report, but results.csv is about it too",
        "broken.json: must be JSON",
        "resnet_9.json: must be named after a file of the manifest",
        "all reports of a table must come from one tool, but got csv, coreml",
        "every block must have a report, but 1 have none",
        f"  {OTHER}: ",
        "(nearest: ",
        "--fill interpolate",
    ):
        assert words in message


def test_whole_models_without_a_report_are_missed_unless_allowed():
    partly = results(MANIFEST, **{"whole/1.onnx": None, "whole/2.onnx": None})
    message = refused(partly)
    assert "whole/1.onnx: a whole model must have a report" in message
    assert "whole/2.onnx" in message
    check = imported(partly, allow_unchecked=True).table.check
    assert (check.num_subnetworks, check.kendall_tau) == (1, None)
    unchecked = imported(results(MANIFEST, **{"whole/0.onnx": None}), allow_unchecked=True).table
    assert unchecked.end_to_end is unchecked.check is None
    assert unchecked.rows[-1].signature.kind is not BlockKind.REST


def test_another_batch_or_dtype_is_refused_with_both():
    report = replace_name(sample("openvino_benchmark_report.json"), f"{BLOCK.split('/')[-1]}.json")
    plain = json.loads(report.data)
    plain["configuration_setup"]["batch size"] = "2"
    plain["cmd_options"] |= {"-infer_precision": "f16", "-m": BLOCK}
    message = refused(document(report.name, plain))
    assert "batch must be 1, but the report says 2; it is never rescaled" in message
    assert "dtype must be float32, but the report says float16" in message


def test_estimated_numbers_are_refused_unless_allowed_and_then_marked():
    small = manifest(whole_models=())
    parts = document(
        "parts.json", [{"name": b.file, "measurement": measurement(milliseconds(b.signature))} for b in small.blocks]
    )
    assert refused(parts, of=small).count("must be measured, but it is estimated") == len(small.blocks)
    table = imported(parts, of=small, allow_estimated=True).table
    assert {row.source for row in table.rows} == {table.protocol.method} == {Method.ESTIMATED}


def test_a_report_about_another_file_than_its_name_says_is_refused():
    report = litert(BLOCK, 1.0)
    message = refused(Report(name=OTHER.split("/")[-1] + ".json", data=report.data))
    assert f"must be about {OTHER}, as its name says" in message


def test_a_csv_needs_the_runtimes_name():
    assert "`runtime_name` must be given" in refused(results(MANIFEST), runtime_name="")


def test_an_empty_call_is_subtracted_from_every_block_and_not_from_the_whole():
    empty = EmptyFile(file="blocks/empty_call.onnx", sha256="0" * 64)
    kit = manifest(empty=empty)
    cheapest = min(milliseconds(block.signature) for block in kit.blocks)
    plain, less = imported(results(kit), of=kit).table, imported(results(kit, **{empty.file: cheapest}), of=kit).table
    assert less.end_to_end == plain.end_to_end
    for before, after in zip(plain.rows[:-1], less.rows[:-1], strict=True):
        for name in ("median_ms", "p10_ms", "p90_ms", "min_ms", "mean_ms"):
            assert getattr(after, name) == pytest.approx(max(getattr(before, name) - cheapest, 1e-6))
        assert after.std_ms == before.std_ms
        assert f"less {cheapest:.4f} ms of an empty call" in after.note
    assert f"less {cheapest:.4f} ms of an empty call" in less.protocol.estimator
    assert "empty call" not in plain.protocol.estimator, "nobody has to measure it"


@pytest.mark.parametrize(("content", "num_lines"), [("model,latency_us\nblocks/a.onnx,1\n", 1), ("{", 1)])
def test_what_follows_from_a_report_that_nobody_understands_is_not_told_file_by_file(content, num_lines):
    assert len(refused(text("x.csv", content)).splitlines()) == num_lines


def test_a_csv_that_nobody_filled_in_is_one_sentence():
    message = refused(Report(name="results.csv", data=results_template(MANIFEST).encode()))
    assert message.startswith(f"results.csv: must hold the times of the manifest's {len(MANIFEST.entries)} files")
    assert len(message.splitlines()) == 1


def test_missing_blocks_are_filled_and_marked():
    gone = next(b for b in MANIFEST.blocks if b.signature.kind is BlockKind.RESNET and b.sites)
    made = imported(results(MANIFEST, **{gone.file: None}), fill=Fill.INTERPOLATE)
    (fit,) = made.filled.fits
    row = next(row for row in made.table.rows if row.signature == gone.signature)
    assert (row.source, row.sites, row.file) == (Method.INTERPOLATED, gone.sites, "")
    assert abs(row.median_ms / milliseconds(gone.signature) - 1) < 0.2
    assert made.table.missing(SPACE.reachable_signatures(context_tokens=TOKENS)) == ()
    assert fit.kind is BlockKind.RESNET
    lone = next(b for b in MANIFEST.blocks if b.signature.kind is BlockKind.CONV_IN)
    message = refused(results(MANIFEST, **{lone.file: None}), fill=Fill.INTERPOLATE)
    assert "conv_in: at least 3 measured rows" in message


def test_blocks_that_the_manifest_lacks_are_missed_too():
    short = manifest(blocks=MANIFEST.blocks[1:])
    assert "no file in the manifest: " in refused(results(short), of=short)


def test_blocks_beyond_the_whole_leave_a_rest_of_zero():
    table = imported(results(MANIFEST, **{"whole/0.onnx": 0.95 * (times(MANIFEST)["whole/0.onnx"] - REST_MS)})).table
    assert table.rows[-1].median_ms == 0
    assert "clamped to 0" in table.rows[-1].note
    assert table.check.sum_over_end_to_end == pytest.approx(1 / 0.95, rel=1e-4)


def test_reports_of_two_compute_units_need_one_name():
    small = manifest(whole_models=())
    reports = [litert(block.file, 1.0) for block in small.blocks[:-1]]
    reports.append(litert(small.blocks[-1].file, 1.0, accelerators=["GPU"]))
    assert "must be of one compute unit, but got cpu, gpu" in refused(*reports, of=small)
    named = imported(*reports, of=small, device=replace(Device(name="phone"), compute_unit="mixed"))
    assert named.table.device.compute_unit == "mixed"
