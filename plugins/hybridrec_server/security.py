"""API keys with scopes and rates, names of hosts, and the headers of every response."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from hybridrec import ConfigError, DataError
from hybridrec_server.problems import Problem
from hybridrec_server.settings import KEYS_VARIABLE, ServerSettings

Scope: TypeAlias = Literal["read", "admin"]
"""`read` may ask and send events, `admin` also exchange bundles."""
HEADERS = [
    (b"content-security-policy",
     b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
     b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]  # fmt: skip
"""Headers of every response: pages load nothing but what this server has, and nobody frames them."""
_LINE = re.compile(
    r"(?P<name>[\w.-]+) +(?P<scope>read|admin) +(?P<digest>[0-9a-f]{64})(?: +(?P<rate>\d+(?:\.\d+)?)/s)?"
)
_LOOPBACK = {b"localhost", b"127.0.0.1", b"[::1]"}
_PREFIX = "hyr_"


@dataclass(slots=True)
class ApiKey:
    """A key as the server knows it: by the digest of its text.

    rate: requests a second, None for no limit
    """

    name: str
    scope: Scope
    digest: str
    rate: float | None = None
    _left: float = field(default=0.0, init=False)
    _filled: float = field(default=float("-inf"), init=False)

    def spend(self, requests: int, now: float, admitted: int = 0) -> float:
        """Take requests out of the bucket of this key; return the seconds to wait, 0 if they may go on.

        The bucket holds the requests of one second (and at least one), and fills at the rate. A body with more than
        that may go on when the bucket is full, and the next one waits for longer.

        admitted: number of requests of the same body that were taken out before
        """
        if self.rate is None:
            return 0.0
        size = max(self.rate, 1.0)
        self._left = min(size, self._left + (now - self._filled) * self.rate)
        self._filled = now
        wanted = min(requests, size - admitted)
        if self._left < wanted:
            return (wanted - self._left) / self.rate
        self._left -= requests
        return 0.0


def made(name: str, scope: Scope, rate: float | None = None) -> tuple[str, str]:
    """Return a new random key and its line for the file of keys, which has only the digest."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise ConfigError(f"'{name}' is not a name of a key; right are letters, digits, '.', '_' and '-'")
    key = _PREFIX + secrets.token_urlsafe(32)
    limit = "" if rate is None else f" {rate:g}/s"
    return key, f"{name} {scope} {_digest(key.encode())}{limit}"


def _digest(key: bytes) -> str:
    # Keys are random numbers of 256 bits: nobody tries them all, so that a fast digest does.
    return hashlib.sha256(key).hexdigest()


class Keyring:
    """The keys of a server, from its file and the environment."""

    def __init__(self, keys: Iterable[ApiKey] = (), clock: Callable[[], float] = time.monotonic) -> None:
        """Take the keys."""
        self._keys = {key.digest: key for key in keys}
        self._clock = clock

    def replace(self, other: Keyring) -> None:
        """Take the keys of another keyring in the place of these."""
        self._keys = other._keys

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def admit(self, headers: Mapping[bytes, bytes], scope: Scope) -> ApiKey | None:
        """Return the key of a request; None if the server has no keys.

        Raises Problem for a request without a valid key, of too small a scope, or beyond the rate.
        """
        if not self._keys:
            return None
        kind, _, text = headers.get(b"authorization", b"").partition(b" ")
        if not text.strip() or kind.lower() != b"bearer":
            text = headers.get(b"x-api-key", b"")
        if not text.strip():
            raise _no_key("send an API key: `Authorization: Bearer KEY`, or `X-API-Key: KEY`")
        key = self._keys.get(_digest(text.strip()))
        if key is None:
            raise _no_key("the API key is not valid")
        if scope == "admin" and key.scope != "admin":
            raise Problem("forbidden", f"the key '{key.name}' has the scope 'read'; this needs 'admin'")
        self._spend(key, 1, admitted=0)
        return key

    def spend(self, key: ApiKey | None, requests: int) -> None:
        """Count further requests of a body that was admitted; raises Problem beyond the rate of the key."""
        if key is not None:
            self._spend(key, requests, admitted=1)

    def _spend(self, key: ApiKey, requests: int, admitted: int) -> None:
        if wait := key.spend(requests, self._clock(), admitted):
            detail = f"the key '{key.name}' may send {key.rate:g} requests a second"
            raise Problem("rate", detail, headers={"retry-after": str(max(1, round(wait + 0.5)))})


def _no_key(detail: str) -> Problem:
    return Problem("no-key", detail, headers={"www-authenticate": 'Bearer realm="hybridrec"'})


def keyring(settings: ServerSettings, environment: Mapping[str, str]) -> Keyring:
    """Read the keys of the file and of the environment.

    Raises ConfigError for a line that is not a key, and for an address that is open to others without keys; DataError
    for a file that cannot be read.
    """
    lines = []
    if settings.keys is not None:
        try:
            text = settings.keys.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{settings.keys}: {getattr(error, 'strerror', None) or 'not text in UTF-8'}") from None
        lines += [(f"{settings.keys}:{number}", line) for number, line in enumerate(text.splitlines(), 1)]
    given = environment.get(KEYS_VARIABLE, "").replace(";", "\n")
    lines += [(f"{KEYS_VARIABLE}, line {number}", line) for number, line in enumerate(given.splitlines(), 1)]
    keys = [
        _key(place, line.strip(), settings.rate) for place, line in lines if line.strip() and line.strip()[0] != "#"
    ]
    if not keys and settings.keys is not None:
        raise ConfigError(f"{settings.keys}: holds no key; `hybridrec api-key NAME` makes a line")
    if not keys and not settings.loopback and not settings.open:
        raise ConfigError(
            f"--host: others reach {settings.host}, so requests need API keys: give --keys FILE (`hybridrec api-key "
            "NAME` makes a line of it), or --open to let anybody ask"
        )
    return Keyring(keys)


def _key(place: str, line: str, rate: float | None) -> ApiKey:
    match = _LINE.fullmatch(line)
    if match is None:  # the line itself may be a key in clear
        raise ConfigError(
            f"{place}: not a line of a key; right is `NAME read DIGEST` or `NAME admin DIGEST`, perhaps with a rate "
            "such as `50/s`; `hybridrec api-key NAME` makes one"
        )
    limit = rate if match["rate"] is None else float(match["rate"])
    if limit == 0:
        raise ConfigError(f"{place}: the rate of '{match['name']}' is 0; leave the line out to take the key away")
    return ApiKey(match["name"], cast(Scope, match["scope"]), match["digest"], limit)


def allowed_hosts(settings: ServerSettings, keys: Keyring) -> frozenset[bytes] | None:
    """Return the names that the header Host may have, in lower case; None for any.

    Without keys, loopback takes only its own names and those of the settings: otherwise a page of another site could
    ask by a name of its own that leads to this machine. Names of loopback are always among them, for health checks: a
    browser takes the header from the address, and these lead nowhere else.
    """
    names = {host.lower().encode() for host in settings.allowed_hosts}
    if not names and (keys or not settings.loopback):
        return None
    if settings.loopback:
        names.add(settings.host.lower().encode())
    return frozenset(names | _LOOPBACK)


def check_host(headers: Mapping[bytes, bytes], hosts: frozenset[bytes] | None) -> None:
    """Raise Problem for a request whose header Host is not among the names."""
    if hosts is None:
        return
    host = headers.get(b"host", b"").lower()
    name = host if host.endswith(b"]") else host.rpartition(b":")[0] or host
    if name not in hosts:
        raise Problem("host", "the header Host is not a name of this server; `--allowed-host` gives it more")
