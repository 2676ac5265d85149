"""Leases: signs that a worker is at a fit, by which other workers of the same store leave the fit alone.

They save work, and nothing depends on them: a fit that two workers make is stored once (see `Store.put`). A lease is a
small file with a nonce. Its holder renews it once a beat. It is taken over if three beats were missed; its age is
measured by the clock of the store, so that clocks of machines may differ.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hybridrec.engine.executor import Executor, ThreadExecutor
from hybridrec.engine.fit import FitContext, FitJob, FitOutcome, run_fit_job
from hybridrec.engine.object_store import ObjectStore
from hybridrec.engine.store import LEASES, Store, this_process
from hybridrec.errors import HybridrecError
from hybridrec.paths import check_key, partial_path, remove

R = TypeVar("R")
T = TypeVar("T")
BEAT = 10.0
"""Seconds between two signs of life of a worker."""
MISSED = 3
"""A lease is taken over when it is older than this number of beats."""


@dataclass(frozen=True, slots=True)
class LeaseState:
    """A lease as another worker reads it.

    text: its content
    age: seconds since its holder renewed it, by the clock of the store
    version: a token by which `LeaseFiles.take` recognises that the lease has not changed since
    """

    text: str
    age: float
    version: str


class LeaseFiles(Protocol):
    """The files of leases in a store, one for each key; the operations are atomic, or as good as that."""

    def create(self, key: str, text: str) -> str | None:
        """Create a lease and return its version; None if there is one."""
        ...

    def read(self, key: str) -> LeaseState | None:
        """Return a lease; None if there is none."""
        ...

    def renew(self, key: str, text: str, version: str) -> str | None:
        """Set the age of a lease to 0 and return its new version; None if somebody else has taken it."""
        ...

    def take(self, key: str, text: str, version: str) -> str | None:
        """Replace a lease that still has this version, and return the new version; None if it has changed."""
        ...

    def remove(self, key: str, version: str) -> None:
        """Remove a lease, unless somebody else has taken it."""
        ...


class FolderLeases:
    """The leases in a folder, which may be on a shared disk."""

    def __init__(self, folder: Path) -> None:
        """Use the leases of the store in this folder."""
        self.folder = folder / LEASES

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)

    def create(self, key: str, text: str) -> str | None:
        """Create a lease and return its version, its text; None if there is one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._path(key).open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            return None
        return text

    def read(self, key: str) -> LeaseState | None:
        """Return a lease; None if there is none."""
        path = self._path(key)
        try:
            text = path.read_text(encoding="utf-8")
            return LeaseState(text, self._age(path), text)
        except FileNotFoundError:
            return None

    def _age(self, path: Path) -> float:
        """Return the seconds since a file was renewed; raises FileNotFoundError if there is none."""
        probe = partial_path(path)
        try:
            renewed = path.stat().st_mtime
            probe.touch(exist_ok=False)  # the system of files gives it the time: no clock of this machine is asked
            return abs(probe.stat().st_mtime - renewed)
        finally:
            remove(probe)

    def renew(self, key: str, text: str, version: str) -> str | None:
        """Set the age of a lease to 0 and return its version; None if somebody else has taken it."""
        try:
            if self._path(key).read_text(encoding="utf-8") == version:
                os.utime(self._path(key))
                return version
        except FileNotFoundError:
            pass
        return None

    def take(self, key: str, text: str, version: str) -> str | None:
        """Replace a lease that still has this version, and return the new version; None if it has changed.

        Of several workers that take it at once, one can create the file that guards the lease meanwhile. The lease is
        replaced by renaming, so that others never find the key without one and create theirs.
        """
        path = self._path(key)
        guard, written = path.with_name(f".{path.name}.take"), partial_path(path)
        try:
            guard.open("x").close()
        except FileExistsError:
            with suppress(FileNotFoundError):
                if self._age(guard) > MISSED * BEAT:  # its worker was killed at this moment
                    remove(guard)
            return None
        try:
            if path.read_text(encoding="utf-8") != version:
                return None
            written.write_text(text, encoding="utf-8")
            written.replace(path)
        except FileNotFoundError:  # given back meanwhile
            return None
        finally:
            remove(written)
            remove(guard)
        return text

    def remove(self, key: str, version: str) -> None:
        """Remove a lease, unless somebody else has taken it."""
        with suppress(OSError):
            if self._path(key).read_text(encoding="utf-8") == version:
                self._path(key).unlink()


class ObjectLeases:
    """The leases in object storage; their versions are those of the objects."""

    def __init__(self, store: ObjectStore) -> None:
        """Use the leases of this store."""
        self.store = store

    def _name(self, key: str) -> str:
        return f"{LEASES}/{check_key(key)}"

    def _put(self, key: str, text: str, mode: Any) -> str | None:
        """Put a lease under a condition; return its version, or None if the condition does not hold.

        Each put has a content of its own, since the version of an object may be a digest of it.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        content = f"{text}\n{secrets.token_hex(8)}"
        try:
            with self.store.asking():
                return _version(obstore.put(self.store.remote, self._name(key), content.encode(), mode=mode))
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            stored = self._get(key)
            return stored.version if stored is not None and stored.content == content else None  # an answer was lost

    def _get(self, key: str) -> _LeaseObject | None:
        import obstore

        try:
            with self.store.asking():
                response = obstore.get(self.store.remote, self._name(key))
                content = bytes(response.bytes()).decode(errors="replace")
        except FileNotFoundError:
            return None
        return _LeaseObject(content, response.meta["last_modified"].timestamp(), _version(response.meta))

    def create(self, key: str, text: str) -> str | None:
        """Create a lease and return its version; None if there is one."""
        return self._put(key, text, "create")

    def read(self, key: str) -> LeaseState | None:
        """Return a lease; None if there is none."""
        import obstore

        lease = self._get(key)
        if lease is None:
            return None
        probe = f"{LEASES}/clock-{secrets.token_hex(8)}"
        with self.store.asking():  # the storage gives it the time: no clock of this machine is asked
            obstore.put(self.store.remote, probe, b"")
            now = obstore.head(self.store.remote, probe)["last_modified"].timestamp()
            with suppress(FileNotFoundError):
                obstore.delete(self.store.remote, probe)
        return LeaseState(lease.content.partition("\n")[0], abs(now - lease.renewed), lease.version)

    def renew(self, key: str, text: str, version: str) -> str | None:
        """Set the age of a lease to 0 and return its new version; None if somebody else has taken it."""
        return self._put(key, text, json.loads(version))

    def take(self, key: str, text: str, version: str) -> str | None:
        """Replace a lease that still has this version, and return the new version; None if it has changed."""
        return self._put(key, text, json.loads(version))

    def remove(self, key: str, version: str) -> None:
        """Remove a lease, unless somebody else has taken it."""
        import obstore

        lease = self._get(key)
        if lease is not None and lease.version == version:
            with self.store.asking(), suppress(FileNotFoundError):
                obstore.delete(self.store.remote, self._name(key))


@dataclass(frozen=True, slots=True)
class _LeaseObject:
    """The object of a lease: its content, the time when it was put, by the clock of the storage, and its version."""

    content: str
    renewed: float
    version: str


def _version(meta: Any) -> str:
    """Return the tag of an object, and its version in storage that has versions, as text."""
    return json.dumps({name: meta[name] for name in ("e_tag", "version") if meta.get(name) is not None})


def lease_files(store: Store) -> LeaseFiles:
    """Return the files of the leases in a store."""
    return ObjectLeases(store) if isinstance(store, ObjectStore) else FolderLeases(store.folder)


class Leases:
    """The leases that this process holds, with a thread that renews them."""

    def __init__(self, files: LeaseFiles, beat: float = BEAT) -> None:
        """Hold leases among `files`, and renew them every `beat` seconds."""
        self.files = files
        self.beat = beat
        self._held: dict[str, tuple[str, str]] = {}  # key -> (text, version)
        self._in_work: set[str] = set()
        self._closed = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self, key: str) -> bool:
        """Take the lease of a key; return False if another worker holds it and has renewed it lately, or if closed."""
        if self._closed:
            return False
        text = json.dumps({"by": this_process(), "beat": self.beat, "nonce": secrets.token_hex(8)})
        version = self.files.create(key, text)
        if version is None and (state := self.files.read(key)) is not None and self._abandoned(state):
            version = self.files.take(key, text, state.version)
        if version is None:
            return False
        with self._lock:
            self._held[key] = text, version
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew, daemon=True, name="hybridrec leases")
                self._thread.start()
        return True

    def release(self, key: str) -> None:
        """Give the lease of a key back, if this process still holds it."""
        with self._lock:
            held = self._held.pop(key, None)
        if held is not None:
            with suppress(HybridrecError, OSError):  # it ends by itself
                self.files.remove(key, held[1])
        self._end_if_closed()

    def holder(self, key: str) -> str | None:
        """Return the name of the worker that holds the lease of a key; None if nobody does, or if it is abandoned."""
        state = self.files.read(key)
        return None if state is None or self._abandoned(state) else str(_content(state.text).get("by", "a worker"))

    def close(self) -> None:
        """Give back all leases but those of `with` blocks, which still do their fits after Ctrl-C.

        They are renewed and given back by their blocks; the thread ends after the last one.
        """
        with self._lock:
            self._closed = True
            idle = [key for key in self._held if key not in self._in_work]
        for key in idle:
            self.release(key)
        self._end_if_closed()

    def _end_if_closed(self) -> None:
        with self._lock:
            if self._closed and not self._held:
                self._ended.set()

    @contextmanager
    def held(self, key: str) -> Iterator[bool]:
        """Hold the lease of a key during the `with` block; yields False if another worker holds it."""
        self._in_work.add(key)  # before, as another thread may close the leases
        acquired = False
        try:
            acquired = self.acquire(key)
            yield acquired
        finally:
            self._in_work.discard(key)
            if acquired:
                self.release(key)

    def _abandoned(self, state: LeaseState) -> bool:
        beat = _content(state.text).get("beat")
        return state.age > MISSED * (float(beat) if isinstance(beat, (int, float)) else self.beat)

    def _renew(self) -> None:
        while not self._ended.wait(self.beat):
            with self._lock:
                held = dict(self._held)
            for key, (text, version) in held.items():
                renewed = None
                try:
                    renewed = self.files.renew(key, text, version)
                except Exception:  # of the disk or the network: the next beat may reach it
                    continue
                with self._lock:
                    if self._held.get(key) != (text, version):
                        continue
                    if renewed is None:
                        del self._held[key]
                    else:
                        self._held[key] = text, renewed


class _LeavingOut:
    """The base of executors that leave out the fits which other workers of the store are at."""

    leases: Leases
    held: set[str]
    """Keys of the jobs that were left out: other workers are at them, or at the fits that they use."""

    def _usable(self, job: FitJob, context: FitContext) -> bool:
        """Return True unless another worker is at the fit that a job uses."""
        used = job.base_model
        if used is not None and used.key in self.held and used.key in context.store:  # another worker has stored it
            self.held.discard(used.key)
        return used is None or used.key not in self.held


class LeasingThreads(_LeavingOut, ThreadExecutor):
    """An executor of threads, each of which holds the lease of the fit that it is at."""

    def __init__(self, workers: int, leases: Leases) -> None:
        """Use as many threads as `workers`."""
        super().__init__(workers)
        self.leases = leases
        self.held = set()

    def submit(self, jobs: Sequence[FitJob], context: FitContext) -> Iterator[FitOutcome]:
        """Run the jobs and yield the outcomes as they end, without those of jobs that were left out."""
        outcomes = super().submit(jobs, context)
        return (outcome for outcome in outcomes if outcome.key not in self.held)

    def _run(self, job: FitJob, context: FitContext) -> FitOutcome:
        if self._usable(job, context):
            with self.leases.held(job.key) as acquired:
                if acquired:
                    self.held.discard(job.key)
                    return run_fit_job(job, context)
        self.held.add(job.key)
        return FitOutcome(job.key, 0.0, (), cached=True)


class LeasingExecutor(_LeavingOut):
    """An executor whose workers are elsewhere, while this process holds the leases of all jobs that it hands out.

    So a lease outlives a worker that is lost, whose job another worker of the executor takes.
    """

    def __init__(self, executor: Executor, leases: Leases) -> None:
        """Create an executor that hands jobs to `executor`."""
        self.executor = executor
        self.leases = leases
        self.held = set()

    @property
    def workers(self) -> int:
        """Number of workers of the executor."""
        return self.executor.workers

    @property
    def needs_parts(self) -> bool:
        """True if the workers read training parts from the store."""
        return self.executor.needs_parts

    def submit(self, jobs: Sequence[FitJob], context: FitContext) -> Iterator[FitOutcome]:
        """Run the jobs and yield the outcomes as they end, without those of jobs that were left out."""
        taken: dict[str, FitJob] = {}
        try:
            for job in sorted(jobs, key=lambda job: job.depth):
                if self._usable(job, context) and self.leases.acquire(job.key):
                    self.held.discard(job.key)
                    taken[job.key] = job
                else:
                    self.held.add(job.key)
            for outcome in self.executor.submit(list(taken.values()), context):
                del taken[outcome.key]
                self.leases.release(outcome.key)
                yield outcome
        finally:
            for key in taken:
                self.leases.release(key)

    def map(self, work: Callable[[T], R], blocks: Sequence[T]) -> Iterator[R]:
        """Yield `work(block)` for each block, as the executor does."""
        return self.executor.map(work, blocks)


def leasing(executor: Executor, leases: Leases) -> LeasingThreads | LeasingExecutor:
    """Return an executor like this one that takes leases, and leaves out the jobs that other workers are at."""
    if isinstance(executor, ThreadExecutor):
        return LeasingThreads(executor.workers, leases)
    return LeasingExecutor(executor, leases)


def _content(text: str) -> dict[str, object]:
    """Return the content of a lease; empty if it is being written, or is not one of ours."""
    with suppress(ValueError):
        content = json.loads(text)
        if isinstance(content, dict):
            return content
    return {}
