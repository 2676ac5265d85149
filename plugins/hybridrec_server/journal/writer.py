"""Journal: a thread that appends records to files, cuts a torn tail at the start and has full files rotated."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

from hybridrec import ConfigError
from hybridrec_server.journal.base import JournalCounts, JournalFull, JournalOptions, ServedRecord
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.frames import KINDS, Damage, frame, scan
from hybridrec_server.state.base import Event

POLL = 0.1
"""Seconds for which exposures wait in memory; a kill of the server loses these, an acknowledged event never."""
MOST_WAITING = 20_000
"""Records that wait to be written; further exposures are lost, and counted."""
_PROBE = 1 << 16
"""Bytes for which there has to be room before a full disk is written again."""
RETRY = 60.0
"""Seconds after which a rotation that failed is tried again."""
logger = logging.getLogger(__name__)


class _Entry(NamedTuple):
    """Records to append, and the future of who waits for them."""

    records: bytes
    number: int
    done: asyncio.Future[bool] | None


class _Rotation(NamedTuple):
    """Rotation to carry out in a process: whom it forgets, and the future of who waits for it."""

    forget: str | None
    done: asyncio.Future[dict[str, int]] | None


class FileJournal:
    """Journal of a server. Only its thread writes, so that appending never waits for a disk."""

    def __init__(self, folder: Path, options: JournalOptions | None = None) -> None:
        """Set the folder of a log, which `start` opens."""
        self.options = options or JournalOptions()
        self.folder = LogFolder(folder)
        self.counts = JournalCounts()
        self.is_full = False
        """True while the last attempt to write failed."""
        self._held = ExitStack()
        self._entries: deque[_Entry] = deque()
        self._rotations: deque[_Rotation] = deque()
        self._running: _Rotation | None = None
        self._rotating: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._outcome: dict[str, int] | OSError = {}
        self._retry_at = 0.0
        self._wake = threading.Event()
        self._is_open = False

    async def start(self) -> None:
        """Take the lock of the folder, cut a torn tail, and start the writing thread.

        Raises ConfigError if another process appends to the folder, if it is something else, or cannot be written.
        """
        await asyncio.get_running_loop().run_in_executor(None, self._start)

    def _start(self) -> None:
        self.folder.make()
        if not self._held.enter_context(self.folder.locked("append", wait=False)):
            self._held.close()
            raise ConfigError(
                f"{self.folder.path}: another server appends to this log; give each server a folder of its own"
            )
        try:
            self._number = self._cut_tail() + 1
            self._open()
        except (OSError, ValueError) as error:
            self._held.close()
            raise ConfigError(f"the log {self.folder.path} cannot be opened: {error}") from None
        if len(self.folder.segments()) > 1:  # of the process before this one
            self._rotations.append(_Rotation(None, None))
        self._is_open = True
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Write what waits, and give the lock back."""
        if not self._is_open:
            return
        self._is_open = False
        self._wake.set()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._held.close()

    @property
    def refuses(self) -> bool:
        """True if requests are to be refused, since nothing can be written and `on_full` says so."""
        return self.is_full and self.options.on_full == "refuse"

    def append_answers(self, records: Sequence[ServedRecord]) -> None:
        """Take answers that are about to be sent; never waits, and counts as lost what it cannot take.

        Raises JournalFull if nothing can be written, and `on_full` says that answers are refused then.
        """
        if self.refuses:
            raise JournalFull("the log cannot be written: the disk is full or broken")
        self._put(b"".join(map(frame, records)), len(records), None)

    def append_events(self, events: Sequence[Event]) -> asyncio.Future[bool]:
        """Take events; the future has a result once they are in the file, with FULL once they are on the disk.

        Its result is False if they are lost, which is counted.
        """
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self._put(b"".join(map(frame, events)), len(events), done):
            self._wake.set()
        else:
            done.set_result(False)
        return done

    def _put(self, records: bytes, number: int, done: asyncio.Future[bool] | None) -> bool:
        if not self._is_open or len(self._entries) >= MOST_WAITING:
            self.counts.lost += number
            return False
        self._entries.append(_Entry(records, number, done))
        return True

    async def rotate(self, forget: str | None = None) -> dict[str, int]:
        """Turn everything that was appended into Parquet, without the rows of a unit if one is to be forgotten.

        Returns the numbers of `Rotated`. Raises OSError if that failed.
        """
        done: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
        self._rotations.append(_Rotation(forget, done))
        self._wake.set()
        return await done

    def _cut_tail(self) -> int:
        """Cut the unfinished record at the end of each file; return the largest number of a file."""
        numbers = [int(file.stem.rpartition("-")[2]) for kind in KINDS for file in self.folder.parts(kind)]
        for number, path in self.folder.segments():
            numbers.append(number)
            damage = Damage()
            with suppress(FileNotFoundError):  # the rotation of a server that was killed goes on, and has rotated it
                for _ in scan(path, damage):
                    pass
                if damage.torn:
                    os.truncate(path, damage.valid)
                    self.counts.torn += damage.torn
        return max(numbers, default=0)

    def _open(self) -> None:
        path = self.folder.segment(self._number)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._size, self._opened, self._unsynced = 0, time.monotonic(), False
        _sync_folder(self.folder.journal)

    def _work(self) -> None:
        """Write what was appended, and rotate, until the journal is closed."""
        while True:
            is_open = self._is_open
            asked = len(self._rotations)  # before the entries: a rotation has all that was appended before it
            entries = [self._entries.popleft() for _ in range(len(self._entries))]
            if entries:
                self._append(entries)
            elif self.is_full:
                self._probe()
            try:
                self._attend_rotation(asked)
            except Exception as error:  # whatever is wrong with it, the journal goes on
                self._end(OSError(f"{type(error).__name__}: {error}"))
            if not is_open and not self._entries:
                break
            self._wake.wait(POLL)
            self._wake.clear()
        if self._unsynced:
            os.fsync(self._file)
        os.close(self._file)
        if self._rotating is not None:
            if self._process is not None:
                self._process.terminate()  # the next start repeats it
            self._rotating.join()
        for rotation in (self._running, *self._rotations):
            _resolve(rotation and rotation.done, OSError("the server stops"))

    def _append(self, entries: Sequence[_Entry]) -> None:
        """Write records; what fails leaves no half record behind, and is counted as lost."""
        waited_for = any(entry.done is not None for entry in entries)
        number = sum(entry.number for entry in entries)
        error: OSError | None = None
        try:
            self._write(b"".join(entry.records for entry in entries))
            self._unsynced = True
            if waited_for and self.options.synchronous == "FULL":
                os.fdatasync(self._file)
                self._unsynced = False
        except OSError as caught:
            error = caught
        if error is None:
            self.counts.written += number
            if self.is_full:
                logger.warning("the journal is written again; %d records were lost", self.counts.lost)
        else:
            self.counts.lost += number
            if not self.is_full:
                logger.error("the journal cannot be written, answers and events are not logged: %s", error)
        self.is_full = error is not None
        for entry in entries:
            _resolve(entry.done, error is None)

    def _probe(self) -> None:
        """Find out if there is room again: where requests are refused meanwhile, nobody would append."""
        try:
            self._write(bytes(_PROBE))
            self._size -= _PROBE
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
        except OSError:
            return
        self.is_full = False
        logger.warning("the journal is written again; %d records were lost", self.counts.lost)

    def _write(self, content: bytes) -> None:
        written = 0
        try:
            while written < len(content):
                written += os.write(self._file, memoryview(content)[written:])
        except OSError:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._size += written

    def _attend_rotation(self, asked: int) -> None:
        """Begin a rotation if it is time for one, and end one whose process has ended.

        asked: number of rotations in the queue whose entries are written; those behind them wait for the next turn
        """
        if self._rotating is not None:
            if self._rotating.is_alive():
                return
            self._rotating = None
            self._end(self._outcome)
        old = self._size and time.monotonic() - self._opened > self.options.segment_seconds
        due = self._size > self.options.segment_bytes or old
        if self._is_open and (asked or (due and time.monotonic() > self._retry_at)):
            self._begin(self._rotations.popleft() if asked else _Rotation(None, None))

    def _begin(self, rotation: _Rotation) -> None:
        """Begin a new file, and a thread that waits for the process that rotates those before it."""
        self._running = rotation
        if self._size:
            before, self._number = self._file, self._number + 1
            try:
                self._open()
            except OSError as error:
                self._number -= 1
                self._end(error)
                return
            os.fsync(before)
            os.close(before)
        asked = {
            "folder": str(self.folder.path),
            "below": self._number,
            "days": self.options.days,
            "forget": self._running.forget,
            "server": os.getpid(),
        }
        self._rotating = threading.Thread(target=self._rotate, args=(asked,), name="rotation", daemon=True)
        self._rotating.start()

    def _rotate(self, asked: dict[str, Any]) -> None:
        """Run the process of a rotation to its end, and keep the numbers that it prints."""
        try:
            with subprocess.Popen(
                [sys.executable, "-m", "hybridrec_server.journal.rotation"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as self._process:
                output, errors = self._process.communicate(json.dumps(asked).encode())
            if self._process.returncode:
                lines = errors.decode(errors="replace").strip().splitlines()
                raise OSError(lines[-1] if lines else f"it ended with status {self._process.returncode}")
            self._outcome = json.loads(output)
        except (OSError, ValueError) as error:
            self._outcome = OSError(str(error))

    def _end(self, outcome: dict[str, int] | OSError) -> None:
        """Count a rotation that has ended, and tell who waits for it."""
        if isinstance(outcome, OSError):
            self.counts.failed_rotations += 1
            self._retry_at = time.monotonic() + RETRY
            logger.error("the journal could not be rotated: %s", outcome)
        else:
            self.counts.rotated += outcome["files"]
            self.counts.damaged += outcome["damaged"]
        if self._running is not None:
            _resolve(self._running.done, outcome)
        self._running = None


def _sync_folder(folder: Path) -> None:
    """Write the names of the files in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _resolve(done: asyncio.Future[Any] | None, outcome: Any) -> None:
    """Pass a result, or an error, to the event loop that waits for it."""
    if done is None or done.get_loop().is_closed():
        return

    def settle() -> None:
        if not done.done():
            if isinstance(outcome, OSError):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)

    done.get_loop().call_soon_threadsafe(settle)
