"""A store in object storage (`s3://`, `gs://`, `az://`), with a local folder as the cache of what is read and written.

An artifact is an object with the content of its file. It is put there whole, under the condition that no object has its
name; so that of two processes that put one, the first one's stays. What is read is copied to the cache first, checked
there, and mapped from there. Whether there is an artifact, the storage is asked each time: others, or its rules,
remove objects. Nothing but these two properties of the storage is relied on: an object that was put is read by all, and
the condition is checked and the object put at once.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from hybridrec.data.fingerprint import json_digest
from hybridrec.engine.store import DAMAGED, LEASES, Artifact, Store
from hybridrec.errors import MissingDependencyError, ObjectStorageError, StoreError
from hybridrec.inference.array_file import manifest_of, parse_manifest, read_artifact
from hybridrec.paths import check_key, partial_path, remove, writing
from hybridrec.types import DAY, State

SCHEMES = ("s3", "gs", "az")
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://")
_NAME = re.compile(r"[0-9a-f]{2}/(?P<key>[0-9a-f]{32})")
_ATTEMPTS = 5
"""Number of attempts to copy or put an object; each request is repeated by the library as well."""
_PIECE = 1 << 24
"""Number of bytes of an object that one request reads."""
_FIRST_LINE = 1 << 16
"""Number of bytes that are read at first for the manifest of an object."""
_LARGEST = 5 * 2**30
"""The largest object in bytes that can be put under a condition."""
_PARALLEL = 8
RETRIES = {"max_retries": 8, "retry_timeout": timedelta(minutes=3)}
"""Repetitions of a request that the storage did not answer, or answered with an error of its own."""


def open_store(place: Path | str | None) -> Store:
    """Return the store at a path, or in object storage at an address such as `s3://bucket/folder`.

    None stands for the environment variable `HYBRIDREC_STORE`, or else `.hybridrec/store` below the working folder.
    Raises StoreError for an address of another kind, and MissingDependencyError without the library.
    """
    place = place or os.environ.get("HYBRIDREC_STORE") or ".hybridrec/store"
    return ObjectStore(place) if isinstance(place, str) and _URL.match(place) else Store(Path(place))


class ObjectStore(Store):
    """A store of artifacts in object storage."""

    def __init__(self, url: str, cache: Path | None = None) -> None:
        """Use the objects below an address.

        cache: the folder of copies, by default one of this address in `$HYBRIDREC_CACHE`, or `~/.cache/hybridrec`

        Raises StoreError for an unknown kind of address, and MissingDependencyError without the library.
        """
        scheme = _URL.match(url)
        if scheme is None or scheme["scheme"] not in SCHEMES:
            kinds = ", ".join(f"{scheme}://" for scheme in SCHEMES)
            raise StoreError(f"{url}: a store is a folder, or an address that begins with {kinds}")
        if not url[scheme.end() :].strip("/"):
            raise StoreError(f"{url}: name a bucket, and a folder in it: {scheme['scheme']}://BUCKET/FOLDER")
        try:
            import obstore  # noqa: F401
        except ImportError:
            raise MissingDependencyError(
                f"the store {url} needs the library 'obstore': pip install 'hybridrec[object-storage]'"
            ) from None
        self.url = url.rstrip("/")
        self._usual = cache is None
        super().__init__(cache or _usual_cache(self.url))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle: without connections, and without the usual cache, which is that of a machine."""
        left_out = {"remote", "_uploads", "folder"} if self._usual else {"remote", "_uploads"}
        return {name: value for name, value in super().__getstate__().items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._usual:
            self.folder = _usual_cache(self.url)

    @property
    def place(self) -> str:
        """The address of the store."""
        return self.url

    def absolute(self) -> Store:
        """Return the store itself, whose address does not depend on the working folder."""
        return self

    @cached_property
    def remote(self) -> Any:
        """The objects below the address, for the functions of `obstore`."""
        return self._connect("1min")

    @cached_property
    def _uploads(self) -> Any:
        """The same for objects that are put, which takes as long as they are large."""
        return self._connect("2h")

    def _connect(self, timeout: str) -> Any:
        import obstore.store

        connect: Any = obstore.store.from_url  # its types are those of one kind of address
        plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true"
        with self.asking():
            return connect(self.url, client_options={"timeout": timeout, "allow_http": plain}, retry_config=RETRIES)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Turn errors of the storage in the `with` block into ObjectStorageError.

        Those that are answers stay: FileNotFoundError, and AlreadyExistsError and PreconditionError of `obstore`.
        """
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        try:
            yield
        except (AlreadyExistsError, PreconditionError):
            raise
        except BaseError as error:
            reason = " ".join(str(error).partition("Debug source")[0].split())
            raise ObjectStorageError(f"{self.url}: {reason[:400]}") from None

    def _address(self, key: str) -> str:
        return f"{self.url}/{_name(key)}"

    def __contains__(self, key: str) -> bool:
        self._use(key)
        return self._head(key) is not None

    def get(self, key: str) -> State | None:
        """Return the arrays stored under a key, copied to the cache, verified and mapped; None if there are none.

        Raises StoreError if the artifact is damaged in the storage, and ObjectStorageError if that cannot be reached.
        """
        path = self._use(key)
        damage = None
        for _ in range(_ATTEMPTS):
            if (entry := self._head(key)) is None:
                return None
            if path.is_file() or self._copy(key, path, entry["size"]):
                try:
                    return read_artifact(path, key)
                except StoreError as error:
                    damage = error
                    super().drop(key)
                except FileNotFoundError:  # another process removed a damaged copy
                    pass
        if damage is None:  # removed and put again by others, each time that it was to be copied
            return None
        raise StoreError(f"{self._address(key)}: {damage}")

    def about(self, key: str) -> dict[str, Any] | None:
        """Return the metadata of an artifact, as the storage has it now; None if it does not exist or is damaged."""
        self._use(key)
        with suppress(FileNotFoundError, StoreError):
            return dict(self._manifest(key)["about"])
        return None

    def drop(self, key: str) -> bool:
        """Remove the artifact under a key from the storage and the cache; return True if there is none afterwards."""
        import obstore

        with self.asking(), suppress(FileNotFoundError):
            obstore.delete(self.remote, _name(key))
        return super().drop(key) and self._head(key) is None

    def artifacts(self) -> list[Artifact]:
        """Return all artifacts in the storage, the oldest first; the metadata of a damaged one is `DAMAGED`.

        Their paths are those of their copies in the cache; not each has one.
        """
        entries = {match["key"]: entry for entry in self._list() if (match := _NAME.fullmatch(entry["path"]))}
        with ThreadPoolExecutor(_PARALLEL) as threads:
            abouts = list(threads.map(self._listed_about, entries))
        artifacts = [
            Artifact(key, self._path(key), entry["size"], entry["last_modified"].timestamp(), about or DAMAGED)
            for (key, entry), about in zip(entries.items(), abouts, strict=True)
        ]
        return sorted(artifacts, key=lambda artifact: artifact.used)

    def _listed_about(self, key: str) -> dict[str, Any] | None:
        """Return the metadata of an object that was listed, from its copy if there is one; nothing counts as used."""
        with suppress(OSError, StoreError):
            return dict(manifest_of(self._path(key))["about"])
        with suppress(FileNotFoundError, StoreError):
            return dict(self._manifest(key)["about"])
        return None

    def sweep(self) -> None:
        """Remove from the cache what processes that have ended left there, and leases not renewed for a day."""
        import obstore

        super().sweep()
        for entry in self._list(LEASES):
            if time.time() - entry["last_modified"].timestamp() > DAY:
                with self.asking(), suppress(FileNotFoundError):
                    obstore.delete(self.remote, entry["path"])

    def limit(self, most: int) -> list[str]:
        """Limit the cache, as a folder is limited; rules of the bucket or `collect` limit what is in the storage."""
        cache = Store(self.folder)
        cache.touched = self.touched
        return cache.limit(most)

    def _publish(self, partial: Path, key: str) -> dict[str, Any] | None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        if partial.stat().st_size > _LARGEST:
            raise StoreError(f"{self._address(key)}: objects of more than 5 GB cannot be put under a condition")
        for attempt in range(_ATTEMPTS):
            try:
                with self.asking():
                    obstore.put(self._uploads, _name(key), partial, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                try:
                    stored = self._manifest(key)
                except FileNotFoundError:  # removed meanwhile, or a conflict with another put that is not yet decided
                    time.sleep(0.1 * 2**attempt)
                    continue
                except StoreError:  # damaged
                    self.drop(key)
                    continue
                if stored != manifest_of(partial):
                    super().drop(key)  # a copy may be one of an object that was removed since
                    return stored
            # If all is the same, the answer to the own request was lost.
            partial.replace(self._path(key))
            return None
        raise ObjectStorageError(f"{self._address(key)} cannot be put: the storage says that it is there and is not")

    def _head(self, key: str) -> Any:
        """Return the entry of an object; None if there is none."""
        import obstore

        try:
            with self.asking():
                return obstore.head(self.remote, _name(key))
        except FileNotFoundError:
            return None

    def _list(self, prefix: str | None = None) -> Iterator[Any]:
        import obstore

        with self.asking():
            for entries in obstore.list(self.remote, prefix):
                yield from entries

    def _copy(self, key: str, path: Path, size: int) -> bool:
        """Copy an object of `size` bytes to the cache, unverified; return False if there is none."""
        import obstore

        partial = partial_path(path)

        def read(start: int) -> Any:
            return obstore.get_range(self.remote, _name(key), start=start, length=min(_PIECE, size - start))

        try:
            with self.asking(), ThreadPoolExecutor(_PARALLEL) as threads:
                with writing(self.folder):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    file = partial.open("xb")
                with file:
                    for piece in threads.map(read, range(0, size, _PIECE)):
                        with writing(self.folder):
                            file.write(piece)
            partial.replace(path)
        except FileNotFoundError:  # removed meanwhile
            return False
        finally:
            remove(partial)
        return True

    def _manifest(self, key: str) -> dict[str, Any]:
        """Return the manifest of an object; raises FileNotFoundError without one, StoreError if it is damaged."""
        import obstore

        entry = self._head(key)
        if entry is None:
            raise FileNotFoundError(self._address(key))
        length, line = _FIRST_LINE, b""
        while b"\n" not in line and len(line) < entry["size"]:
            with self.asking():
                read = obstore.get_range(
                    self.remote, _name(key), start=len(line), length=min(length, entry["size"] - len(line))
                )
            line += bytes(read)
            length *= 8
        return parse_manifest(self._address(key), line.partition(b"\n")[0], key)


def _usual_cache(url: str) -> Path:
    """Return the folder of copies of the objects below an address, for this user of this machine."""
    home = Path(os.environ.get("HYBRIDREC_CACHE") or Path.home() / ".cache" / "hybridrec")
    return home / f"store-{json_digest(url, 8)}"


def _name(key: str) -> str:
    return f"{check_key(key)[:2]}/{key}"
