"""Damage by chance to every kind of file that hybridrec keeps: it is found and named, and nothing wrong is answered."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hybridrec import Run, Store, StoreError
from hybridrec.data.fingerprint import fingerprint, json_digest
from hybridrec.errors import DataError
from hybridrec.inference import array_file
from hybridrec.runs import manifest
from tests.torture.outcome import Loss, Outcome
from tests.torture.subject import Subject, answers_of

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
    """Damage files of a run, a bundle on its own and artifacts of the store, and read them."""
    outcome = Outcome()
    subject = Subject.made(folder / "subject")
    shutil.copy(subject.bundle, bundle := folder / "alone.hybridrec")
    targets = {name: partial(_of_run, subject.run, name) for name in (*READERS, "manifest.json")}
    targets["a bundle alone"] = partial(_of_bundle, bundle, subject.bundle.read_bytes())
    store = Store(subject.folder / "store")
    kept = {entry.key: fingerprint(store.get(entry.key) or {}) for entry in store.artifacts()}
    targets["an artifact"] = partial(_of_store, store, kept)
    whole = {name: json_digest(read(subject.run)) for name, read in READERS.items()}
    names = [*targets, "an artifact", "a bundle alone", "bundle.hybridrec"]  # the formats of our own more often
    for number in range(tries):
        rng = random.Random(f"damage {seed} {number}")
        name = names[number % len(names)]
        outcome.attempt(f"damage {seed} {number} ({name})", partial(targets[name], whole, rng), allowed=())
        outcome.counts[name] += 1
    return outcome


def damaged(content: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Return other bytes: flipped, cut, with a hole, a tail, a block of another place, or those of another file."""
    data = bytearray(content)
    place = rng.randrange(len(data))
    match rng.randrange(8):
        case 0 | 1 | 2:
            data[place] ^= 1 << rng.randrange(8)
        case 3:
            del data[place:]
        case 4:
            length = min(rng.choice((1, 64, 512, 4096)), len(data) - place)
            data[place : place + length] = bytes(length)
        case 5:
            data += rng.randbytes(rng.choice((1, 64, 4096)))
        case 6:
            source = rng.randrange(len(data))
            piece = data[source : source + rng.choice((1, 16, 512))]
            data[place : place + len(piece)] = piece
        case _:
            return rng.choice(others)
    return bytes(data)


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
    """Return a file of another version of its format, with sound checksums where the file has its own."""
    content = path.read_bytes()
    if path.name == "bundle.hybridrec" or path.suffix == "":
        line, _, rest = content.partition(b"\n")
        head = json.loads(line)
        head["format"] = rng.choice((0, 2, 99, "1", None, -1))
        return json.dumps(head).encode().ljust(len(line)) + b"\n" + rest
    if path.suffix == ".json":
        head = json.loads(content)
        head["format"] = rng.choice((0, 2, 99, "x", None))
        return json.dumps(head).encode()
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


def _check_no_checksum(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(manifest, "_checksum", lambda path: "")
    patch.setattr(array_file.zlib, "crc32", lambda *_: 0)
    return 60


def _check_no_key(patch: pytest.MonkeyPatch) -> int:
    checked: Any = array_file._checked
    patch.setattr(array_file, "_checked", lambda path, line, key=None: checked(path, line))
    return 200


BREAKS = {
    "damaged files are found by their checksums": _check_no_checksum,
    "an artifact is that of its key": _check_no_key,
}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
