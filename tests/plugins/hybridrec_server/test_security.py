"""API keys, rates, names of hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridrec import ConfigError, DataError
from hybridrec_server.problems import Problem
from hybridrec_server.security import ApiKey, Keyring, allowed_hosts, check_host, keyring, made
from hybridrec_server.settings import KEYS_VARIABLE, ServerSettings


def settings(**values) -> ServerSettings:
    return ServerSettings(bundle=Path("toy.hybridrec"), **values)


def refused(keys: Keyring, headers: dict, scope: str = "read") -> str:
    with pytest.raises(Problem) as caught:
        keys.admit(headers, scope)
    return caught.value.kind


def test_a_key_is_known_by_its_digest_alone(tmp_path):
    key, line = made("web", "read")
    admin_key, admin_line = made("ops", "admin")
    assert key not in line
    (tmp_path / "keys").write_text(f"# keys\n\n{line}\n{admin_line}\n")
    keys = keyring(settings(keys=tmp_path / "keys"), {})
    assert keys.admit({b"authorization": f"Bearer {key}".encode()}, "read").name == "web"
    assert keys.admit({b"authorization": f"bearer  {admin_key} ".encode()}, "admin").name == "ops"
    assert keys.admit({b"x-api-key": key.encode()}, "read").name == "web"
    assert refused(keys, {b"x-api-key": key.encode()}, "admin") == "forbidden"
    for headers in ({}, {b"authorization": b"Basic abc"}, {b"x-api-key": key[:-1].encode()}, {b"x-api-key": b"\xff"}):
        assert refused(keys, headers) == "no-key"
    digest = line.split()[2]
    assert refused(keys, {b"x-api-key": digest.encode()}) == "no-key"


def test_keys_rotate_by_two_lines_of_one_name_and_come_from_the_environment():
    (old, old_line), (new, new_line) = made("web", "read"), made("web", "read")
    keys = keyring(settings(), {KEYS_VARIABLE: f"{old_line};{new_line}"})
    assert len(keys) == 2
    assert {keys.admit({b"x-api-key": key.encode()}, "read").name for key in (old, new)} == {"web"}


@pytest.mark.parametrize(
    "line", ["web read", "web write " + "0" * 64, "web read " + "g" * 64, "hyr_secret", "web read " + "0" * 64 + " 3"]
)
def test_a_wrong_line_is_named_but_not_shown(tmp_path, line):
    (tmp_path / "keys").write_text(f"# first\n{line}\n")
    with pytest.raises(ConfigError, match="keys:2: not a line of a key") as caught:
        keyring(settings(keys=tmp_path / "keys"), {})
    assert "secret" not in str(caught.value)


def test_a_file_without_keys_does_not_open_the_server(tmp_path):
    (tmp_path / "keys").write_text("# none yet\n")
    with pytest.raises(ConfigError, match="holds no key"):
        keyring(settings(keys=tmp_path / "keys"), {})
    with pytest.raises(DataError, match="missing: No such file"):
        keyring(settings(keys=tmp_path / "missing"), {})
    with pytest.raises(ConfigError, match="the rate of 'web' is 0"):
        keyring(settings(), {KEYS_VARIABLE: "web read " + "0" * 64 + " 0/s"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_another_address_than_loopback_needs_keys_or_a_flag(host):
    with pytest.raises(ConfigError, match="need API keys"):
        keyring(settings(host=host), {})
    assert not keyring(settings(host=host, open=True), {})
    assert keyring(settings(host=host), {KEYS_VARIABLE: made("web", "read")[1]})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost", "127.8.8.8"])
def test_loopback_needs_no_keys(host):
    assert keyring(settings(host=host), {}).admit({}, "admin") is None


def test_a_rate_lets_a_second_through_and_fills_again():
    now = [100.0]
    keys = Keyring([ApiKey("web", "read", "d", rate=5)], clock=lambda: now[0])
    (key,) = keys._keys.values()
    for _ in range(5):
        keys.spend(key, 1)
    with pytest.raises(Problem) as caught:
        keys.spend(key, 1)
    assert (caught.value.kind, caught.value.headers) == ("rate", {"retry-after": "1"})
    now[0] += 0.21
    keys.spend(key, 1)
    with pytest.raises(Problem):
        keys.spend(key, 1)


def test_every_request_is_counted_where_it_is_admitted():
    key, line = made("web", "read", 2)
    keys = keyring(settings(), {KEYS_VARIABLE: line})
    for _ in range(2):
        keys.admit({b"x-api-key": key.encode()}, "read")
    assert refused(keys, {b"x-api-key": key.encode()}) == "rate"


def test_a_large_body_counts_for_all_of_its_requests():
    now = [100.0]
    key = ApiKey("web", "read", "d", rate=10)
    assert key.spend(100, now[0]) == 0
    assert key.spend(1, now[0] + 9.0) > 0
    assert key.spend(1, now[0] + 9.2) == 0


@pytest.mark.parametrize("rate", [1, 5])
def test_a_large_body_goes_on_when_the_bucket_is_full_and_the_next_one_waits(rate):
    now, (key, line) = [100.0], made("web", "read")
    keys = keyring(settings(rate=rate), {KEYS_VARIABLE: line})
    keys._clock = lambda: now[0]
    headers = {b"x-api-key": key.encode()}
    keys.spend(keys.admit(headers, "read"), 19)
    now[0] += (20.5 - rate) / rate  # half a request is left
    with pytest.raises(Problem):
        keys.admit(headers, "read")
    now[0] += 1
    keys.spend(keys.admit(headers, "read"), 19)


def test_the_line_of_a_key_has_its_own_rate():
    digest = "0" * 64
    keys = keyring(settings(rate=7), {KEYS_VARIABLE: f"a read {digest}; b read {'1' * 64} 2.5/s"})
    assert [key.rate for key in keys._keys.values()] == [7, 2.5]


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a\n"])
def test_a_key_has_a_plain_name(name):
    with pytest.raises(ConfigError, match="not a name of a key"):
        made(name, "read")


def test_loopback_without_keys_takes_its_own_names_alone():
    """Else a page of another site could ask under a name of its own that leads to this machine."""
    hosts = allowed_hosts(settings(), Keyring())
    for host in (b"127.0.0.1:8080", b"localhost", b"LOCALHOST:1", b"[::1]:8080", b"[::1]"):
        check_host({b"host": host}, hosts)
    for host in (b"evil.example:8080", b"127.0.0.1.evil.example", b"", b"evil.example"):
        with pytest.raises(Problem) as caught:
            check_host({b"host": host}, hosts)
        assert caught.value.status == 421
    assert allowed_hosts(settings(), Keyring([ApiKey("a", "read", "d")])) is None
    check_host({b"host": b"anything"}, None)
    named = allowed_hosts(settings(host="0.0.0.0", open=True, allowed_hosts=("Shop.example",)), Keyring())
    for host in (b"shop.example:443", b"127.0.0.1:8080"):  # the second one is that of a health check
        check_host({b"host": host}, named)
    for host in (b"evil.example", b"0.0.0.0"):
        with pytest.raises(Problem):
            check_host({b"host": host}, named)
    assert b"127.8.8.8" in allowed_hosts(settings(host="127.8.8.8", allowed_hosts=("a",)), Keyring())
