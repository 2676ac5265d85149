"""The plugins in `examples/plugins/`: they pass their contracts, and do what their pages promise on small data."""

from __future__ import annotations

import ast
import contextlib
import csv
import io
import sqlite3
import tokenize
import tomllib
from pathlib import Path

import hybridrec_slate_tools
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from hybridrec_slate_tools.overlap import overlap
from hybridrec_slate_tools.playlists import Playlists, PlaylistsOptions

import hybridrec
from examples.plugins.activity_segments import RecentPlays
from examples.plugins.device_ranker import DeviceRanker
from examples.plugins.epsilon_policy import EpsilonPlaces
from examples.plugins.event_log import EventLog
from examples.plugins.kind_odds import KindOdds
from examples.plugins.price_cap import PriceCap
from examples.plugins.sql_reader import SqlPlays
from examples.plugins.tag_share_metric import TagShare
from examples.plugins.text_embeddings import LatentText
from hybridrec import BanditLog, Experiment, PipelineConfig, Query, off_policy_estimates, take, use
from hybridrec.cli import hybridrec as hybridrec_command
from hybridrec.testing import (
    CommandContract,
    ComponentContract,
    ExporterContract,
    FilterContract,
    MetricContract,
    ObserverContract,
    ReaderContract,
    RerankerContract,
    SegmenterContract,
)

FOLDER = Path(__file__).parents[1] / "examples" / "plugins"
FILES = sorted(FOLDER.rglob("*.py"))
TOKEN = "open-sesame-4711"
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
OWN = "hybridrec_slate_tools"
PUBLIC = {"hybridrec", "hybridrec.kernels", "hybridrec.testing", "hybridrec.text_files"}


def private_imports(tree: ast.AST) -> list[str]:
    """Return the imports of a module from hybridrec that are neither public modules nor public names."""
    modules = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    sources = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [node.module or "." for node in sources]
    private = [f"{node.module}.{alias.name}" for node in sources for alias in node.names if alias.name.startswith("_")]
    ours = [module for module in modules if module.startswith(("hybridrec", ".")) and not module.startswith(OWN)]
    return private + [module for module in ours if module not in PUBLIC]


def module_state(tree: ast.Module) -> list[str]:
    """Return the assignments at the top level of a module, beside the version of the API."""
    assigned = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)]
    return [text for node in assigned if not (text := ast.unparse(node)).startswith("requires_api = ")]


PARSING = {
    "split",
    "rsplit",
    "partition",
    "rpartition",
    "removeprefix",
    "removesuffix",
    "startswith",
    "endswith",
    "modf",
}
"""Methods that take a meaning out of the text of an id, or out of the fraction of a score."""


def smuggled(tree: ast.AST) -> list[str]:
    """Return the places that read a meaning out of ids or fractions: calls of `PARSING`, patterns, remainders of 1."""
    readings = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if name in PARSING:
                readings.append(name)
            case ast.BinOp(op=ast.Mod(), right=ast.Constant(value=1)):
                readings.append(ast.unparse(node))
            case ast.Import(names=names) if any(alias.name == "re" for alias in names):
                readings.append("re")
    return readings


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_plugins_import_public_names_keep_no_state_and_parse_nothing(file: Path):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert not private_imports(tree)
    assert not module_state(tree)
    assert not smuggled(tree)
    assert not any(isinstance(node, ast.Global) for node in ast.walk(tree))


def test_the_search_finds_private_imports_and_state():
    imports = "from hybridrec.data import Dataset\nimport hybridrec.stages, hybridrec_fusion"
    tree = ast.parse(f"{imports}\nfrom hybridrec import _draft\ncache = {{}}\nrequires_api = '1.0'")
    assert private_imports(tree) == ["hybridrec._draft", "hybridrec.stages", "hybridrec_fusion", "hybridrec.data"]
    assert module_state(tree) == ["cache = {}"]


def test_the_search_finds_meanings_in_ids_and_fractions():
    tree = ast.parse("import re\nprice = int(item.partition(':')[2])\nshare = final % 1\neven = 5 % 2\n")
    assert sorted(smuggled(tree)) == ["final % 1", "partition", "re"]


def lines_of_code(file: Path) -> int:
    """Count lines that hold code: no blanks, no comments, no docstrings and no texts that describe options."""
    source = file.read_text(encoding="utf-8")
    texts = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr) and is_text(node.value)]
    described = {line for node in texts for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    held = [token for token in tokens if token.type not in LAYOUT]
    return len({line for token in held for line in range(token.start[0], token.end[0] + 1)} - described)


def is_text(node: ast.expr) -> bool:
    """Return True for a text constant."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_check_plugin_passes_each_file_as_it_is(file: Path):
    printed = command_line("check-plugin", file.stem, "--plugin", file)
    assert printed.count("  passed") > 3
    assert "failed" not in printed


def test_the_table_lists_every_plugin_with_its_lines():
    rows = [line.split("|") for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()]
    stated = {row[1].split("](")[1].split(")")[0]: int(row[4]) for row in rows if len(row) == 7 and "](" in row[1]}
    places = {path: [FOLDER / path] if path.endswith(".py") else (FOLDER / path).glob("src/**/*.py") for path in stated}
    assert {path: sum(map(lines_of_code, files)) for path, files in places.items()} == stated
    assert set(stated) == {file.relative_to(FOLDER).parts[0] for file in FILES if "tests" not in file.parts}


class TestLatentText(ComponentContract):
    component = LatentText
    configs = ({"dimensions": 8},)
    learns_the_checkerboard = ("items", "title")


class TestPriceCap(FilterContract):
    filter = PriceCap
    configs = [{}, {"price": "cost", "tolerance": 0.5}]


class TestDeviceRanker(RerankerContract):
    reranker = DeviceRanker
    configs = [{"trees": 5}]


class TestRecentPlays(SegmenterContract):
    segmenter = RecentPlays
    configs = [{}, {"days": 10000, "many": 2}]


class TestTagShare(MetricContract):
    metric = TagShare


class TestEventLog(ObserverContract):
    observer = EventLog
    configs = [{}, {"least": 1, "runs": "failed"}]


class TestEpsilonPlaces(RerankerContract):
    reranker = EpsilonPlaces
    configs = [{}, {"epsilon": 0.8, "depth": 3}]


class TestKindOdds(ComponentContract):
    component = KindOdds
    learns_the_checkerboard = ("items",)


class TestOverlap(CommandContract):
    command = overlap


class TestPlaylists(ExporterContract):
    exporter = Playlists
    configs = [{"pipeline": "newest", "most": 3}]


def folders(path: Path) -> dict[str, Path]:
    """Return the folders of a run below a temporary one."""
    return {"store": path / "store", "runs": path / "runs"}


def plays(n: int = 1500, songs: int = 20, users: int = 60) -> pl.DataFrame:
    """Build plays of songs by users; phones play the first half of the songs, televisions the second."""
    rng = np.random.default_rng(0)
    on_tv = rng.integers(0, 2, n)
    return pl.DataFrame(
        {
            "user": [f"u{user}" for user in rng.integers(0, users, n)],
            "song": [f"s{song}" for song in rng.zipf(1.6, n) % (songs // 2) + songs // 2 * on_tv],
            "time": np.arange(n, dtype=float),
            "device": np.array(["phone", "tv"])[on_tv],
            "budget": rng.integers(1, 5, n).astype(float),
        }
    )


COLUMNS = {
    "user": "user",
    "item": "song",
    "time": "time",
    "context": {"device": "category", "budget": "number"},
}


def test_the_ranker_learns_what_the_device_is_worth(tmp_path):
    popular = {"generators": [take("popularity")], "fallback": []}
    experiment = Experiment(
        name="device",
        data=use("table", interactions=COLUMNS),
        split=use("leave-one-out"),
        components={"popularity": use("popularity")},
        pipelines={
            "control": PipelineConfig(**popular, seen="allow"),
            "variant": PipelineConfig(**popular, seen="allow", rerank=[use(DeviceRanker, trees=20)]),
        },
        compare={"control": "control", "metrics": ["ndcg@5"], "resamples": 1000},
        refit="all",
    )
    run = hybridrec.run(experiment, data={"interactions": plays()}, plugins=[DeviceRanker], **folders(tmp_path))
    assert [row.verdict for row in run.report.comparison if row.segment == "all"] == ["better"]
    recommender = hybridrec.load(run, plugins=[DeviceRanker])
    requests = [Query(user="u1", context={"device": device}) for device in ("phone", "tv")]
    slates = recommender.recommend(requests, n=4, pipeline="variant").to_frame()
    assert [song in {f"s{n}" for n in range(10, 20)} for song in slates["id"]] == [False] * 4 + [True] * 4


def test_no_slate_exceeds_the_budget(tmp_path):
    songs = pl.DataFrame({"id": [f"s{n}" for n in range(20)], "price": [*np.arange(19) % 6.0, None]})
    experiment = Experiment(
        name="budget",
        data=use("table", interactions=COLUMNS, items={"id": "id", "features": {"price": "number"}}),
        split=use("leave-one-out"),
        components={"popularity": use("popularity")},
        filters=[use(PriceCap)],
        pipelines={"control": PipelineConfig(generators=[take("popularity")], seen="allow", fallback=[])},
        refit="all",
    )
    frames = {"interactions": plays(), "items": songs}
    run = hybridrec.run(experiment, data=frames, plugins=[PriceCap], **folders(tmp_path))
    prices = dict(songs.iter_rows())
    recommender = hybridrec.load(run, plugins=[PriceCap])
    free, capped = (
        recommender.recommend([Query(context=context)], n=20).to_frame()["id"].to_list()
        for context in ({}, {"budget": 2.0})
    )
    assert len(free) == 20
    assert {prices[song] for song in capped} == {0.0, 1.0, 2.0}


def test_a_new_item_is_proposed_by_its_text(tmp_path):
    rng = np.random.default_rng(1)
    stories = pl.DataFrame(
        {
            "id": [f"f{n}" for n in range(40)],
            "text": [f"{'zombie horror' if n % 2 else 'love story'} {n}" for n in range(40)],
        }
    )
    seen = pl.DataFrame(
        {
            "user": [f"u{user}" for user in range(30) for _ in range(8)],
            "item": [f"f{2 * film + user % 2}" for user in range(30) for film in rng.permutation(20)[:8]],
        }
    )
    experiment = Experiment(
        name="cold",
        data=use("table", interactions={"user": "user", "item": "item"}, items={"id": "id", "text": ["text"]}),
        split=use("cold-items", test=0.3),
        components={"random": use("random"), "latent-text": use(LatentText, dimensions=4)},
        pipelines={
            "control": PipelineConfig(generators=[take("random")], fallback=[]),
            "variant": PipelineConfig(generators=[take("latent-text")], fallback=[]),
        },
        compare={"control": "control", "metrics": ["ndcg@10"], "resamples": 1000},
        refit="all",
    )
    frames = {"interactions": seen, "items": stories}
    run = hybridrec.run(experiment, data=frames, plugins=[LatentText], **folders(tmp_path))
    assert [row.verdict for row in run.report.comparison if row.segment == "all"] == ["better"]
    recommender = hybridrec.load(run, plugins=[LatentText])
    slate = recommender.recommend([Query(text="zombie")], n=5, pipeline="variant")
    horror = set(stories.filter(pl.col("text").str.contains("zombie"))["id"])
    assert set(slate.to_frame()["id"]) <= horror
    learned = recommender.embeddings("latent-text")
    assert {*learned} == {"items", "words"}
    asked = recommender.components["latent-text"].query_vectors(recommender.encode([Query(text="zombie")]), "items")
    assert learned["words"].vector("zombie") == pytest.approx(asked[0])
    assert {near.id for near in recommender.similar("latent-text", "zombie", n=5, by="words")} <= horror


def test_a_run_is_measured_by_activity_and_by_tag_and_is_logged(tmp_path):
    songs = pl.DataFrame(
        {"id": [f"s{n}" for n in range(20)], "label": ["indie" if n % 2 else "major" for n in range(20)]}
    )
    experiment = Experiment(
        name="mixed",
        data=use("table", interactions=COLUMNS, items={"id": "id", "tags": {"label": "label"}}),
        split=use("temporal", cut="1970-01-01T00:20:00", seen="allow"),
        components={"popularity": use("popularity")},
        pipelines={"control": PipelineConfig(generators=[take("popularity")], seen="allow", fallback=[])},
        targets={"items": 10},
        compare={
            "metrics": [
                {"use": "tag-share", "tag": "label:indie", "at": 10, "as": "indie@10"},
                {"use": "tag-share", "tag": "label:indie", "aim": 0.1, "at": 10, "as": "some-indie@10"},
            ],
            "segments": [{"use": "recent-plays", "days": 200.5 / 86400, "many": 4}],
        },
        observe={"event-log": {"path": str(tmp_path / "events.csv")}},
    )
    frames = {"interactions": plays(), "items": songs}
    run = hybridrec.run(experiment, data=frames, plugins=[RecentPlays, TagShare, EventLog], **folders(tmp_path))

    slates = run.slates("control").with_columns(indie=pl.col("id").str.slice(1).cast(int) % 2 == 1)
    shares = slates.group_by("query", maintain_order=True).agg(pl.col("indie").mean())["indie"]
    measured = run.per_query()
    assert measured["indie@10"].to_list() == pytest.approx(shares.to_list())
    assert set(measured["some-indie@10"]) == {1.0}

    past, future = plays().filter(pl.col("time") < 1200), plays().filter(pl.col("time") >= 1200)
    recent = past.filter(pl.col("time") >= 1000)["user"].value_counts()
    counts = future.select("user").unique().join(recent, on="user", how="left")["count"].fill_null(0)
    segments = ["many" if count >= 4 else "few" if count else "none" for count in counts]
    assert set(segments) == {"many", "few", "none"}
    assert sorted(measured["segment"]) == sorted(segments)

    rows = list(csv.reader((tmp_path / "events.csv").read_text().splitlines()))
    assert [event for _, event, _, _ in rows][:: len(rows) - 1] == ["RunStarted", "RunFinished"]
    assert [subject for _, event, subject, _ in rows if event == "FitFinished"] == ["popularity"]
    assert len({run_id for run_id, *_ in rows}) == 1


def command_line(*words: str | Path) -> str:
    """Run `hybridrec WORDS`, which must succeed, and return what it prints."""
    done = CliRunner().invoke(hybridrec_command, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_log_of_the_policy_tells_what_another_pipeline_earns(tmp_path):
    popular = {"generators": [take("popularity")], "seen": "allow", "fallback": []}
    experiment = Experiment(
        name="loop",
        data=use("table", interactions=COLUMNS),
        split=use("temporal", test=0.3, seen="allow"),
        components={"popularity": use("popularity")},
        pipelines={
            "plain": PipelineConfig(**popular),
            "dice": PipelineConfig(**popular, rerank=[use(EpsilonPlaces, epsilon=0.5, depth=5)]),
        },
        targets={"items": 5},
        compare={"control": "plain", "metrics": ["precision@1"], "resamples": 1000},
    )
    frames = {"interactions": plays(n=6000, users=400)}
    run = hybridrec.run(experiment, data=frames, plugins=[EpsilonPlaces], **folders(tmp_path))
    command_line("export", run.folder, "--format", "off-policy", "--set", "logged=dice", "--set", "policy=plain")
    log = run.folder / "off-policy" / "dice.plain.items.log.parquet"
    assert "ips" in command_line("off-policy", log)

    read = BanditLog.read(log)
    assert set(read.propensity.round(6)) == {0.1, 0.6}
    estimate = off_policy_estimates(read, np.random.default_rng(0), resamples=1000)[0]
    earned = run.per_query().filter(pipeline="plain")["precision@1"].mean()
    assert estimate.ci95[0] < earned < estimate.ci95[1]
    assert estimate.effective_size > 100


def test_the_songs_of_a_concert_tell_its_hall(tmp_path):
    rng = np.random.default_rng(0)
    halls = rng.integers(0, 4, 200)
    played = pl.DataFrame(
        {
            "concert": [f"c{concert}" for concert in range(200) for _ in range(6)],
            "song": [f"s{song}" for hall in halls for song in (rng.permutation(12)[:6] + 10 * hall) % 40],
        }
    )
    held = pl.DataFrame({"concert": [f"c{concert}" for concert in range(200)], "hall": [f"h{hall}" for hall in halls]})
    experiment = Experiment(
        name="halls",
        data=use(
            "table",
            interactions={"user": "concert", "item": "song"},
            user_has={"halls": {"user": "concert", "id": "hall"}},
        ),
        split=use("masked", test=0.3, scenarios={"items": 1}),
        components={"popularity": use("popularity"), "kind-odds": use(KindOdds)},
        targets={"halls": 4},
        pipelines={
            "control": PipelineConfig(generators=[take("popularity")], fallback=[]),
            "variant": PipelineConfig(generators=[take("kind-odds")], fallback=[]),
        },
        compare={"control": "control", "metrics": ["halls/hit-rate@1"], "resamples": 1000},
        refit="all",
    )
    frames = {"interactions": played, "user_has.halls": held}
    run = hybridrec.run(experiment, data=frames, plugins=[KindOdds], **folders(tmp_path))
    hits = run.per_query().group_by("pipeline").agg(pl.col("halls/hit-rate@1").mean())
    measured = dict(hits.iter_rows())
    assert measured["variant"] > 0.9 > 0.5 > measured["control"]
    query = Query(items=["s24", "s25", "s26"])
    slate = hybridrec.load(run, plugins=[KindOdds]).recommend([query], n=1, pipeline="variant", target="halls")
    assert slate.to_frame()["id"].to_list() == ["h2"]


def shop(path: Path) -> dict[str, str]:
    """Write a database that shows rows to those who know their token, and return the options that read it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("create table plays (id integer primary key, user text, item text, time real, token text)")
        connection.execute("create table songs (id text, text text)")
        rows = [(f"u{n % 30}", f"s{n % 7}", float(n), ("none", TOKEN)[n % 2]) for n in range(400)]
        connection.executemany("insert into plays (user, item, time, token) values (?, ?, ?, ?)", rows)
        connection.executemany("insert into songs values (?, ?)", [(f"s{n}", f"Song {n}") for n in range(7)])
        connection.commit()
    return {
        "url": f"sqlite:///{path}",
        "secret": "env:SHOP_TOKEN",
        "plays": "select user, item, time from plays where token = :secret",
        "songs": "select id, text from songs",
        "newest": "select max(id) from plays",
    }


class TestSqlPlays(ReaderContract):
    reader = SqlPlays
    configs = [{"url": "sqlite:///shop.db"}]

    @pytest.fixture(autouse=True)
    def database(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        shop(tmp_path / "shop.db")


def test_the_secret_is_in_no_file_of_the_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)

    def read(**options: str) -> hybridrec.Run:
        experiment = Experiment(
            name="shop",
            data=use(SqlPlays, **options),
            split=use("leave-one-out"),
            components={"popularity": use("popularity")},
            pipelines={"control": PipelineConfig(generators=[take("popularity")], fallback=[])},
            refit="all",
        )
        return hybridrec.run(experiment, plugins=[SqlPlays], **folders(tmp_path))

    options = shop(tmp_path / "shop.db")
    run = read(**options)
    assert run.report.data.interactions == 200
    assert set(run.names()["name"]) == {f"Song {n}" for n in range(7)}
    written = [file for folder in folders(tmp_path).values() for file in folder.rglob("*") if file.is_file()]
    assert {"config.yaml", "lock.json", "report.html"} <= {file.name for file in written}
    assert not [file for file in written if TOKEN.encode() in file.read_bytes()]
    assert TOKEN not in "".join(capsys.readouterr())

    with pytest.raises(hybridrec.DataError, match="no such table") as error:
        read(**options | {"plays": "select * from nowhere where token = :secret", "newest": "select 1"})
    assert TOKEN not in str(error.value)


def test_the_package_registers_a_command_and_an_exporter(tmp_path):
    assert hybridrec_slate_tools.hybridrec_commands() == [overlap]
    assert hybridrec_slate_tools.hybridrec_exporters() == [Playlists]
    project = tomllib.loads((FOLDER / "hybridrec-slate-tools" / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["hybridrec"] == {"slate-tools": hybridrec_slate_tools.__name__}

    experiment = Experiment(
        name="two",
        data=use("table", interactions=COLUMNS),
        split=use("leave-one-out"),
        components={"popularity": use("popularity"), "same": use("popularity")},
        pipelines={name: PipelineConfig(generators=[take(name)], fallback=[]) for name in ("popularity", "same")},
        targets={"items": 5},
        compare={"metrics": ["ndcg@5"]},
    )
    run = hybridrec.run(experiment, data={"interactions": plays()}, **folders(tmp_path))
    (tmp_path / "lists").mkdir()
    paths = Playlists(PlaylistsOptions(pipeline="same", most=2)).export(run, tmp_path / "lists")
    first = run.slates("same").filter(query=0)["id"].to_list()
    assert [path.name for path in paths] == ["0.m3u8", "1.m3u8"]
    assert paths[0].read_text().splitlines()[2::2] == first
    done = CliRunner().invoke(overlap, [str(run.folder), "--at", "3"])
    assert done.exit_code == 0
    assert done.output.count("1.000") == 4
