"""Damage by chance to every kind of file that hybridrec keeps: it is found and named, and nothing wrong is answered."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import hybridrec
from hybridrec import BatchRecommender, ConfigError, Registry, Run, Store, StoreError
from hybridrec.config.experiment import CheckedExperiment
from hybridrec.config.load import load_experiment
from hybridrec.data.fingerprint import fingerprint, json_digest
from hybridrec.errors import DataError
from hybridrec.inference import array_file
from hybridrec.runs import manifest
from hybridrec.serving import batch_job
from hybridrec.serving.batch_job import BatchJob
from hybridrec.serving.query_source import QueryFile
from hybridrec.tuning.study_dir import resume, tuned_report
from hybridrec.tuning.trials import TrialTable
from tests.torture.kills import TUNE
from tests.torture.mutate import damaged
from tests.torture.outcome import Loss, Outcome
from tests.torture.subject import Subject, answers_of, write_config, write_data

READERS: dict[str, Callable[[Path], object]] = {
    "report.json": lambda run: Run.open(run).report.model_dump(mode="json"),
    "lock.json": lambda run: Run.open(run).lock,
    "config.yaml": lambda run: Run.open(run).config,
    "queries.parquet": lambda run: Run.open(run).queries().to_dict(as_series=False),
    "names.parquet": lambda run: Run.open(run).names().to_dict(as_series=False),
    "per_query.parquet": lambda run: Run.open(run).per_query().to_dict(as_series=False),
    "slates/control.items.parquet": lambda run: Run.open(run).slates("control").to_dict(as_series=False),
    "slates/hybrid.items.parquet": lambda run: Run.open(run).slates("hybrid").to_dict(as_series=False),
    "bundle.hybridrec": answers_of,
}
"""Name of a file of a run -> a function that reads it through the run; `manifest.json` is read by all of them."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Damage files of a run, a bundle alone, artifacts of the store, and files of a search and a batch; read them."""
    outcome = Outcome()
    subject = Subject.made(folder / "subject")
    shutil.copy(subject.bundle, bundle := folder / "alone.hybridrec")
    targets = {name: partial(_of_run, subject.run, name) for name in (*READERS, "manifest.json")}
    targets["a bundle alone"] = partial(_of_bundle, bundle, subject.bundle.read_bytes())
    store = Store(subject.folder / "store")
    kept = {entry.key: fingerprint(store.get(entry.key) or {}) for entry in store.artifacts()}
    targets["an artifact"] = partial(_of_store, store, kept)
    search = Search.made(folder / "search")
    targets |= {f"search/{name}": partial(_of_search, search, name) for name in search.files}
    batch = Batch(subject.bundle, folder / "batch")
    targets |= {f"batch/{name}": partial(_of_batch, batch, name) for name in batch.files}
    whole = {name: json_digest(read(subject.run)) for name, read in READERS.items()}
    names = [*targets, "an artifact", "a bundle alone", "bundle.hybridrec"]  # the formats of our own more often
    for number in range(tries):
        rng = random.Random(f"damage {seed} {number}")
        name = names[number % len(names)]
        outcome.attempt(f"damage {seed} {number} ({name})", partial(targets[name], whole, rng), allowed=())
        outcome.counts[name] += 1
    return outcome


def _swapped(path: Path, whole: bytes, content: bytes, look: Callable[[], None]) -> None:
    """Write damaged bytes to a file for as long as it is looked at."""
    if content == whole:
        return
    path.write_bytes(content)
    try:
        look()
    finally:
        path.write_bytes(whole)


def _of_run(run: Path, name: str, whole: Mapping[str, str], rng: random.Random) -> None:
    """Damage a file of the run: its reader refuses it by name, or gives what it gave before."""
    files = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    path = run / name
    others = [content for other, content in files.items() if other.suffix == path.suffix and other != path]
    content = skewed(path, rng) if rng.random() < 0.1 else damaged(files[path], others or [b""], rng)
    readers = READERS if name == "manifest.json" else {name: READERS[name]}

    def look() -> None:
        for read, reader in readers.items():
            try:
                value = json_digest(reader(run))
            except (StoreError, DataError) as error:
                if Path(name).name not in str(error):
                    raise Loss(f"the error does not name {name}: {error}") from None
            else:
                if value != whole[read]:
                    raise Loss(f"{read} was read with other values")

    _swapped(path, files[path], content, look)


def skewed(path: Path, rng: random.Random) -> bytes:
    """Return a file of another version of its format, or with arrays of another byte order; its checksums are sound."""
    content = path.read_bytes()
    if path.suffix in (".hybridrec", ""):
        line, _, rest = content.partition(b"\n")
        head = json.loads(line)
        swapped = [entry for entry in head["content"]["arrays"].values() if entry["dtype"].startswith("<")]
        if swapped and rng.random() < 0.3:
            rng.choice(swapped)["dtype"] = ">" + swapped[0]["dtype"][1:]
            head["checksum"] = json_digest(head["content"])
            return json.dumps(head).encode().ljust(len(line)) + b"\n" + rest
        head["format"] = rng.choice((0, 2, 99, "1", None, -1))
        return json.dumps(head).encode().ljust(len(line)) + b"\n" + rest
    if path.suffix == ".json":
        head = json.loads(content)
        head["format"] = rng.choice((0, 2, 99, "x", None))
        return json.dumps(head).encode()
    if path.suffix == ".csv":
        return content.replace(b"number,", b"number,version,", 1)
    return content[:-1]


def _of_bundle(path: Path, content: bytes, whole: Mapping[str, str], rng: random.Random) -> None:
    """Damage a bundle on its own: it is refused by name, or answers as before."""
    path.write_bytes(content)
    changed = skewed(path, rng) if rng.random() < 0.1 else damaged(content, [content[: len(content) // 2]], rng)

    def look() -> None:
        try:
            value = json_digest(answers_of(path))
        except StoreError as error:
            if path.name not in str(error):
                raise Loss(f"the error does not name the file: {error}") from None
        else:
            if value != whole["bundle.hybridrec"]:
                raise Loss("a damaged bundle answers otherwise")

    _swapped(path, content, changed, look)


def _of_store(store: Store, kept: Mapping[str, str], _: Mapping[str, str], rng: random.Random) -> None:
    """Damage an artifact: it is dropped or given as it was, and lists and collections go on."""
    key, other = rng.sample(sorted(kept), 2)
    path, another = (store.folder / name[:2] / name for name in (key, other))
    content = path.read_bytes()
    changed = skewed(path, rng) if rng.random() < 0.1 else damaged(content, [another.read_bytes()], rng)

    def look() -> None:
        if len(store.artifacts()) != len(kept):
            raise Loss("an artifact is not listed")
        state = store.find(key)
        if state is not None and fingerprint(state) != kept[key]:
            raise Loss("an artifact was read with other values")
        if state is None and path.exists():
            raise Loss("a damaged artifact stays")

    _swapped(path, content, changed, look)


@dataclass(frozen=True)
class Search:
    """A finished search of three trials, and what its files say."""

    folder: Path
    experiment: CheckedExperiment
    hash: str

    files = ("trials.csv", "tuning.json", "config.yaml")

    @classmethod
    def made(cls, folder: Path) -> Search:
        """Write data and a config into a folder that does not exist, and search there."""
        folder.mkdir(parents=True)
        write_data(folder)
        config = write_config(folder, tune=TUNE)
        tuned = hybridrec.tune(config, store=folder / "store", runs=folder / "runs")
        hash_of_best = load_experiment(tuned.config, Registry(), ()).hash
        return cls(tuned.folder, load_experiment(config, Registry(), ()), hash_of_best)

    def trials(self) -> list[Any]:
        """Return the trials as a search that goes on reads them."""
        assert self.experiment.tuning is not None
        return [asdict(trial) for trial in TrialTable(self.folder / "trials.csv", self.experiment.tuning).read()]

    def read(self, name: str) -> list[Any]:
        """Return the content of a file as those read it that use it."""
        if name == "trials.csv":
            return self.trials()
        if name == "config.yaml":
            return [resume(self.folder, self.experiment).name]
        report = tuned_report(self.folder / "best.yaml", self.hash)
        return [report.model_dump(mode="json")] if report else []


def _of_search(search: Search, name: str, _: Mapping[str, str], rng: random.Random) -> None:
    """Damage a file of a search: it is refused by name, or says what it said, perhaps without its last trials."""
    path, whole = search.folder / name, search.read(name)
    content = path.read_bytes()
    others = [(search.folder / other).read_bytes() for other in search.files if other != name]
    changed = skewed(path, rng) if rng.random() < 0.1 else damaged(content, others, rng)

    def look() -> None:
        try:
            said = search.read(name)
        except (StoreError, ConfigError) as error:
            if name not in str(error):
                raise Loss(f"the error does not name {name}: {error}") from None
        else:
            if said != whole[: len(said)] or (name != "trials.csv" and not said):
                raise Loss(f"{name} was read with other values")

    _swapped(path, content, changed, look)


class Batch:
    """A finished batch of recommendations, which is continued after each damage."""

    files = ("manifest.json", "part-00000.jsonl", "part-00001.jsonl")

    def __init__(self, bundle: Path, folder: Path) -> None:
        """Answer four queries in parts of two."""
        rows = [{"query": f"q{number}", "items": [f"song {number}", "song 9"]} for number in range(4)]
        folder.mkdir(parents=True)
        queries = folder / "queries.jsonl"
        queries.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.folder = folder / "out"
        answer = BatchRecommender(bundle, n=3)
        self.job = BatchJob(answer, QueryFile(queries, answer.recommender.data), self.folder, "jsonl", 2)
        self.job.run()
        self.whole = {name: (self.folder / name).read_bytes() for name in self.files}


def _of_batch(batch: Batch, name: str, _: Mapping[str, str], rng: random.Random) -> None:
    """Damage a file of a batch: it is refused by name, or the batch goes on to the same files."""
    path, content = batch.folder / name, batch.whole[name]
    others = [batch.whole[other] for other in batch.files if other != name]
    changed = skewed(path, rng) if rng.random() < 0.1 else damaged(content, others, rng)

    def look() -> None:
        try:
            batch.job.run(resume=True)
        except (StoreError, ConfigError) as error:
            if name not in str(error):
                raise Loss(f"the error does not name {name}: {error}") from None
            return
        if {each: (batch.folder / each).read_bytes() for each in batch.files} != batch.whole:
            raise Loss("the batch that went on gives other files")

    try:
        _swapped(path, content, changed, look)
    finally:
        for each, whole in batch.whole.items():
            (batch.folder / each).write_bytes(whole)


def _take_any_byte_order(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(array_file, "_LITTLE", "<>|")
    return 2_000


def _take_any_line(patch: pytest.MonkeyPatch) -> int:
    from hybridrec.tuning import trials

    patch.setattr(trials, "json_digest", lambda *_: "same")
    return 900


def _take_any_part(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(batch_job, "_digest", lambda _: "same")
    return 60


def _check_no_checksum(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(manifest, "_checksum", lambda path: "")
    patch.setattr(array_file.zlib, "crc32", lambda *_: 0)
    return 60


def _check_no_key(patch: pytest.MonkeyPatch) -> int:
    checked: Any = array_file._checked
    patch.setattr(array_file, "_checked", lambda path, line, key=None: checked(path, line))
    return 1_200  # of which one in some 150 puts an artifact in the place of another


BREAKS = {
    "damaged files are found by their checksums": _check_no_checksum,
    "an artifact is that of its key": _check_no_key,
    "arrays are little-endian": _take_any_byte_order,
    "a damaged line of a search is found": _take_any_line,
    "a damaged part of a batch is found": _take_any_part,
}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
