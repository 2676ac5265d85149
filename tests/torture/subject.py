"""A small finished run to attack: models of several kinds, a learned blend, its store and bundle."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hybridrec
from hybridrec import Query, Recommender, Run, load
from hybridrec.data.fingerprint import json_digest

USERS, ITEMS = 48, 30
CONFIG: dict[str, Any] = {
    "name": "toy",
    "seed": 3,
    "data": {
        "reader": "table",
        "interactions": {"path": "plays.csv", "user": "user", "item": "item", "time": "time", "weight": "weight"},
        "items": {"path": "songs.csv", "id": "id", "text": ["title"], "tags": ["tags"]},
    },
    "split": {"use": "masked", "test": 0.3},
    "components": {
        "ease": {"l2": 5},
        "als": {"factors": 4, "iterations": 2},
        "knn": {"use": "user-knn"},
        "pop": {"use": "popularity"},
        "tag-fallback": {},
    },
    "targets": {"items": 10},
    "pipelines": {
        "control": {"generators": [{"from": "pop", "k": 20}]},
        "hybrid": {
            "generators": [{"from": "ease", "k": 20}, {"from": "als", "k": 20}],
            "scorers": ["knn", "tag-fallback"],
            "rerank": [{"use": "validated"}],
            "fallback": ["pop"],
        },
    },
    "compare": {"control": "control", "metrics": ["ndcg@5"], "resamples": 100},
    "refit": "all",
    "workers": 1,
}
QUERIES = (
    Query(items=["song 1", "song 3"], id="a"),
    Query(tags=["t1"], items=["song 2"], id="b"),
    Query(text="blue evening", id="c"),
    Query(user="u7", id="d"),
)


def write_data(folder: Path, users: int = USERS, seed: int = 5) -> None:
    """Write the files of data: users who like songs of their own colour."""
    rng = random.Random(seed)
    rows = ["user,item,time,weight"]
    for user in range(users):
        for item in rng.sample(range(user % 2, ITEMS, 2), 7) + rng.sample(range(ITEMS), 2):
            rows.append(f"u{user},song {item},{1_600_000_000 + len(rows) * 1000},{rng.randrange(1, 4)}")
    (folder / "plays.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    songs = [
        f"song {item},{('blue', 'red')[item % 2]} evening {item},t{item % 2}|t{2 + item % 5}" for item in range(ITEMS)
    ]
    (folder / "songs.csv").write_text("\n".join(["id,title,tags", *songs]) + "\n", encoding="utf-8")


def write_config(folder: Path, **changes: Any) -> Path:
    """Write the config beside its data, and return its path."""
    path = folder / "toy.yaml"
    path.write_text(json.dumps(CONFIG | changes), encoding="utf-8")  # JSON is YAML
    return path


@dataclass(frozen=True)
class Subject:
    """A finished run in a folder of its own: its config, data, store, run and bundle."""

    folder: Path
    run: Path

    @classmethod
    def made(cls, folder: Path) -> Subject:
        """Carry out the experiment in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_data(folder)
        run = hybridrec.run(write_config(folder), store=folder / "store", runs=folder / "runs")
        return cls(folder, run.folder)

    @property
    def bundle(self) -> Path:
        """The file with everything that serving needs."""
        return self.run / "bundle.hybridrec"


def answers(recommender: Recommender) -> str:
    """Return a digest of the slates of `QUERIES` by every pipeline: ids, scores and who served them."""
    slates = {
        name: recommender.recommend(QUERIES, 8, pipeline=name).to_frame().to_dict(as_series=False)
        for name in recommender.pipelines
    }
    return json_digest(slates)


def answers_of(place: Path) -> str:
    """Load a run or bundle and return the digest of its answers."""
    return answers(load(place))


def results(run: Run, *, notes: bool = True) -> str:
    """Return a digest of what a run measured, without what differs from run to run: times, places, versions."""
    report = run.report.model_dump(mode="json")
    kept = {name: report[name] for name in ("pipelines", "comparison", "guardrails", "statistics", "data")}
    kept |= {"notes": report["notes"]} if notes else {}
    for arm in kept["pipelines"].values():
        arm.pop("latency", None)
    slates = {name: run.slates(name).to_dict(as_series=False) for name in report["pipelines"]}
    return json_digest([kept, run.per_query().to_dict(as_series=False), slates])
