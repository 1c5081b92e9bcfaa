"""Tabular benchmarks: what is written is read, laws hold, replay is a search's own course, and `nas bench` tells it."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.one_shot import knapsack, local_search, random_search
from nas.algorithms.problem import Problem
from nas.algorithms.settings import EvolvingSettings
from nas.cli.app import app
from nas.cli.sweeps.bench import _made, _ours
from nas.metrics.area import hypervolume
from nas.scores.stored.sealed_table import column_text, digest_of_columns
from nas.tabular.benchmark import BenchmarkError
from nas.tabular.comparing import courses, summary
from nas.tabular.files import find_benchmark, read_benchmark, shipped_benchmarks, write_benchmark
from nas.tabular.replay import Replay, problem_of
from nas.tabular.space import Row, TabularSpace
from nas.testing.algorithms import AlgorithmLaws
from nas.testing.spaces import SearchSpaceLaws
from nas.training.data.readers.parquets import ParquetPictures
from search_spaces.files.user_error import UserError
from tests.nas.made_up_table import PROMPTS, made_up


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "made-up.parquet"
    write_benchmark(made_up(), path)
    return path


class TestTheSubSpace(SearchSpaceLaws):
    @pytest.fixture
    def space(self) -> TabularSpace:
        return TabularSpace(made_up())


class TestKnapsackOnATable(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self) -> Any:
        return knapsack.make(knapsack.KnapsackSettings(num_evaluations=6, num_checks=2))

    @pytest.fixture
    def problem(self, algorithm: Any) -> Problem[Any]:
        return problem_of(made_up(), settings=algorithm.settings)


def test_what_is_written_is_read(file: Path) -> None:
    written, read = made_up(), read_benchmark(file)
    assert read.edits == written.edits
    assert (read.size, read.num_prompts, read.score) == (64, PROMPTS, "clip")
    for name in ("masks", "latency_ms", "num_params", "num_macs"):
        assert np.array_equal(getattr(read, name), getattr(written, name))
    assert all(np.array_equal(a, b) for a, b in zip(read.scores, written.scores, strict=True))


def test_what_is_none_is_refused_with_its_place(file: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="give a file, or the name of a shipped one"):
        find_benchmark(tmp_path / "gone.parquet")
    text = tmp_path / "text.parquet"
    text.write_text("scores")
    with pytest.raises(BenchmarkError, match="must be a parquet file"):
        read_benchmark(text)
    damaged = bytearray(file.read_bytes())
    position = damaged.find(b"block[0]")
    damaged[position : position + 8] = b"block[9]"
    (tmp_path / "damaged.parquet").write_bytes(bytes(damaged))
    with pytest.raises(BenchmarkError, match="is not what was written"):
        read_benchmark(tmp_path / "damaged.parquet")


@pytest.mark.parametrize(
    "change",
    [{"num_searched": 9}, {"edits": None}, {"strange": 1}, {"seconds_per_pass": -1}, {"schema_version": 2}],
)
def test_what_somebody_sealed_again_keeps_the_laws_or_is_refused_with_its_place(
    change: dict[str, Any], file: Path, tmp_path: Path
) -> None:
    table = pq.read_table(file)
    text = json.dumps(json.loads(table.schema.metadata[b"tabular_benchmark"]) | change)
    seal = digest_of_columns(text, {name: column_text(table[name].to_pylist()) for name in table.column_names})
    table = table.replace_schema_metadata(None)
    with pq.ParquetWriter(tmp_path / "mine.parquet", table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"tabular_benchmark": text, "seal": seal})
    with pytest.raises(BenchmarkError, match=re.escape(str(tmp_path / "mine.parquet"))):
        read_benchmark(tmp_path / "mine.parquet")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"masks": np.arange(66)[::-1].copy()}, "ascending order"),
        ({"num_searched": 9}, "between 1 and its 8 edits"),
        ({"num_searched": 2**62}, "between 1 and its 8 edits"),
        ({"num_searched": 1e300}, "between 1 and its 8 edits"),
        ({"unit": None, "edits": (1, 2)}, "must be texts, but are not: unit, edits"),
        ({"latency_ms": np.zeros(66)}, "latency_ms must be positive"),
        ({"scores": (np.array([np.nan]),) * 66}, "finite score"),
        ({"edits": ("block[0]",) * 8}, "edits must differ"),
    ],
)
def test_a_benchmark_that_breaks_a_law_cannot_exist(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BenchmarkError, match=words):
        replace(made_up(), **change)


def test_a_replay_counts_each_architecture_once_and_ends_with_what_was_recorded() -> None:
    benchmark = made_up()
    algorithm = random_search.make(random_search.RandomSettings(num_evaluations=20))
    problem = problem_of(benchmark, settings=algorithm.settings, seed=3)
    replay = Replay(benchmark, problem)
    found = replay.search(algorithm).results[0]
    assert found.score.mean == pytest.approx(benchmark.means[found.subject.architecture.mask])
    last = replay.course[-1]
    assert [point.num_evaluations for point in replay.course] == list(range(1, last.num_evaluations + 1))
    assert last.num_passes == last.num_evaluations * PROMPTS * 8
    assert last.regret == pytest.approx(benchmark.best(target_ms=problem.target_latency_ms) - found.score.mean)
    regrets = [point.regret for point in replay.course]
    assert regrets == sorted(regrets, reverse=True), "with every prompt, what looks better is better"
    volumes = [point.volume for point in replay.course]
    assert volumes == sorted(volumes)
    assert volumes[0] == 0, "the base stands at the corner"
    corner = (benchmark.latency_ms[0], benchmark.means.min())
    places = list(zip(benchmark.latency_ms[:64], benchmark.means, strict=True))
    scored = [places[mask] for mask in replay.seen]
    assert last.volume == pytest.approx(hypervolume(scored, reference=corner) / hypervolume(places, reference=corner))
    assert 0 < last.volume < 1


def test_an_integer_programme_over_sums_is_right_where_losses_add_up_and_pairs_mend_it_where_not() -> None:
    sums = knapsack.make(knapsack.KnapsackSettings(num_evaluations=1, num_checks=0, max_pairs=0))
    pairs = knapsack.make(knapsack.KnapsackSettings(num_evaluations=24, num_checks=8))
    frame = courses(made_up(interacts=0.0), {"sums": sums}, seeds=[0])
    assert frame["regret"].iloc[-1] == pytest.approx(0, abs=1e-6)
    frame = courses(made_up(interacts=0.3), {"sums": sums, "pairs": pairs}, seeds=[0])
    last = frame.groupby("algorithm")["regret"].last()
    assert last["pairs"] == pytest.approx(0, abs=1e-6)


def test_algorithms_are_summarised_over_seeds() -> None:
    algorithms: dict[str, Any] = {
        "local": local_search.make(local_search.LocalSettings(num_evaluations=40, batch_size=2)),
        "greedy": ArchitectureEvolving(EvolvingSettings(removals_per_round=1, max_copies=0)),
    }
    frame = courses(made_up(), algorithms, seeds=range(3))
    rows: dict[Any, Any] = summary(frame, at=[5, 40]).set_index("algorithm").to_dict("index")
    assert rows["local"]["share_exact"] == 1
    assert rows["greedy"]["spread_40"] == 0, "it draws nothing"
    assert rows["local"]["regret_40"] <= rows["local"]["regret_5"]
    assert Row(5).arch_id == "5"


def test_bench_tells_a_table_json_and_a_figure(file: Path, tmp_path: Path) -> None:
    words = ["bench", "random_search:{num_evaluations: 9}", "evolving", "--table", str(file), "--seeds", "2"]
    done = CliRunner().invoke(app, [*words, "--plot", str(tmp_path / "regret.png"), "--out", str(tmp_path / "all.csv")])
    assert done.exit_code == 0, done.output
    assert "made-up: 64 architectures" in done.output
    assert (tmp_path / "regret.png").stat().st_size > 5_000
    told = json.loads(CliRunner().invoke(app, [*words, "--format", "json"]).stdout)
    assert [row["algorithm"] for row in told["algorithms"]] == ["random_search:{num_evaluations: 9}", "evolving"]
    assert told["benchmark"]["passes_per_evaluation"] == PROMPTS * 8
    refused = CliRunner().invoke(app, ["bench", "random_search:{num: 9}", "--table", str(file)])
    assert refused.exit_code == 2
    assert "there is no such setting" in refused.stderr


def test_bench_without_names_takes_all_of_ours_that_need_no_settings() -> None:
    ours = _ours()
    assert {"evolving", "knapsack", "handpicked"} <= set(ours)
    assert "rerank" not in ours
    with pytest.raises(UserError, match="rerank needs what another search found; choose among evolving, "):
        _made("rerank")
    assert [name for name, _ in map(_made, ours)] == ours


def test_what_is_shipped_is_small_and_whole() -> None:
    for name in shipped_benchmarks():
        assert find_benchmark(name).stat().st_size <= 2_000_000
        assert read_benchmark(name).name == name


def test_a_file_that_claims_more_than_it_holds_takes_no_memory(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"all 4,611,686,018,427,387,904 architectures of 62 edits must be there"):
        replace(made_up(), edits=tuple(map(str, range(62))), num_searched=62)
    path = tmp_path / "bomb.parquet"
    row = pa.array(np.zeros(2**20 + 1, dtype=np.int64))
    pq.write_table(pa.table({"masks": row, "latency_ms": row, "num_params": row, "num_macs": row, "scores": row}), path)
    with pytest.raises(BenchmarkError, match=r"at most 1,048,576 rows, but has .* and 1,048,577"):
        read_benchmark(path)


@pytest.mark.parametrize("read", [read_benchmark, lambda path: ParquetPictures(files=(path,))])
def test_a_column_whose_name_is_no_text_is_refused(read: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "0.parquet"
    pq.write_table(pa.table({"m\u00e1sks": [1]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace("m\u00e1sks".encode(), b"m\xc3\x28sks"))
    with pytest.raises(UserError, match=r"0\.parquet must be a (whole )?parquet file, but "):
        read(path)


def test_what_cannot_be_written_is_said_before_the_search(tmp_path: Path) -> None:
    (tmp_path / "thesis.csv").write_text("year,chapter\n")
    for *given, words in (
        ("--out", str(tmp_path), "a folder stands there"),
        ("--out", str(tmp_path / "thesis.csv"), "is to become a table of searches, but a file that is none"),
        ("--plot", "x.doc", "must end in one"),
        ("--seeds", f"{10**30}", "Invalid value for '--seeds'"),
        ("--target-ratio", "0", "Invalid value for '--target-ratio'"),
        ("--num-prompts", "9", "must be at most the 8 prompts"),
        ("random_search:{batch_size: 4, batch_size: 5}", "batch_size"),
    ):
        said = CliRunner().invoke(app, ["bench", "random_search", *given])
        assert said.exit_code == 2
        assert words in " ".join(said.output.split())
        assert "regret" not in said.output


def test_a_limit_below_all_is_refused_with_the_least_that_can_be_asked_for() -> None:
    benchmark = read_benchmark("shapes")
    with pytest.raises(BenchmarkError, match=r"but 0\.473 are asked for; ask for a target ratio of (\d\.\d\d)") as no:
        benchmark.best(target_ms=0.01 * benchmark.latency_ms[0])
    least = float(str(no.value).split("ratio of ")[1].split()[0])
    assert math.isfinite(benchmark.best(target_ms=least * benchmark.latency_ms[0]))
    with pytest.raises(BenchmarkError):
        benchmark.best(target_ms=(least - 0.01) * benchmark.latency_ms[0])
