"""Seeded mutators of bytes, of texts with lines, and of trees of plain values."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Path = tuple[str | int, ...]
INTERESTING = (
    "", " ", "\t", "\0", "\x1b[31m", "\u2028", "\u202e", "\ufeff", "é", "e\u0301", "😀", "%", "..", "../x", "/", "~",
    "-x", "null", "true", "nan",
    "inf", "-inf", "1e400", "-1", "0", "1e-320", "007", "0x1f", "1_000", "1:30", "2020-13-01",
    "9223372036854775807", "9223372036854775808", "1" * 400, "a" * 300, '"', "'", "{", "[", "]", "}", ":", "#", "|",
    "&a", "*a", "!!python/name:os.system",
    "!!timestamp x", "${HOME}", "env:HOME", "frame:x", "plugin:core/x", "all", "items",
)  # fmt: skip
"""Texts that are special to somebody: to YAML, numbers, paths, terminals, or hybridrec."""
VALUES: tuple[Any, ...] = (
    *INTERESTING, None, True, False, 0, 1, -1, 2, 1.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"), 2**31,
    2**63 - 1,    10**12, [], {}, [[]], {"": None}, [None], {"a": {"b": {}}},
)  # fmt: skip
"""Values that may stand anywhere in a tree."""
TOKENS = (
    b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\n", b"\r", b"\r\n", b"\t", b",", b",,", b"::", b"|", b'"', b'""', b"'",
    b"\\", b"\x1b", b"\xe2\x80\xa8", b"nan", b"-", b"1e999", b"9" * 30, b"{", b"}", b"[", b"]", b" ", b"#", b"\x85",
    b"\x0b",
)  # fmt: skip
"""Pieces that are special in files of data."""


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to three changes: flipped, cut, repeated, moved, or with a token of `TOKENS` put in."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(_BYTE_CHANGES)(data, rng)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _replace(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _insert(data: bytearray, rng: random.Random) -> None:
    place = _place(data, rng)
    data[place:place] = rng.choice(TOKENS)


def _cut(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    del data[start : start + rng.choice((1, 1, 2, 5, 20))]


def _truncate(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _repeat(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    piece = data[start : start + rng.choice((1, 3, 10, 50))]
    place = _place(data, rng)
    data[place:place] = piece * rng.choice((1, 1, 2, 40))


def _lines_change(change: Callable[[list[bytes], random.Random], None]) -> Callable[[bytearray, random.Random], None]:
    def apply(data: bytearray, rng: random.Random) -> None:
        lines = bytes(data).splitlines(keepends=True)
        if lines:
            change(lines, rng)
            data[:] = b"".join(lines)

    return apply


def _drop_line(lines: list[bytes], rng: random.Random) -> None:
    del lines[rng.randrange(len(lines))]


def _repeat_line(lines: list[bytes], rng: random.Random) -> None:
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))


def _swap_lines(lines: list[bytes], rng: random.Random) -> None:
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]


def _digit(data: bytearray, rng: random.Random) -> None:
    digits = [place for place, byte in enumerate(data) if 48 <= byte < 58]
    if digits:
        data[rng.choice(digits)] = 48 + rng.randrange(10)


_BYTE_CHANGES: Sequence[Callable[[bytearray, random.Random], None]] = (
    _flip, _replace, _insert, _insert, _cut, _truncate, _repeat, _digit, _digit,
    *map(_lines_change, (_drop_line, _repeat_line, _swap_lines)),
)  # fmt: skip


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


def places(tree: Any, above: Path = ()) -> Iterator[tuple[Path, Any, str | int]]:
    """Yield (path, container, key) for every value in nested mappings and lists."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*above, key), tree, key
        yield from places(value, (*above, key))


def mutate_tree(tree: Any, donors: Sequence[Any], rng: random.Random) -> None:
    """Change one place of nested mappings and lists; `donors` are other trees, of which a piece may be taken."""
    around = list(places(tree))
    if not around:
        return
    _, holder, key = rng.choice(around)
    change = rng.choice(_GENTLE if rng.random() < 0.5 else _ROUGH)
    change(holder, key, donors, rng)


def _nudge(holder: Any, key: Any, _: Sequence[Any], rng: random.Random) -> None:
    """Change a value by little."""
    value = holder[key]
    if isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int):
        holder[key] = value + rng.choice((-1, 1, 1, value, 10))
    elif isinstance(value, float):
        holder[key] = value * rng.choice((0.5, 0.9, 1.1, 2))
    elif isinstance(value, list) and value:
        holder[key] = rng.sample(value, len(value))
    elif isinstance(value, dict) and value:
        holder[key] = {name: value[name] for name in rng.sample(list(value), len(value))}
    elif isinstance(value, str):
        holder[key] = rng.choice((value, value + rng.choice("x1-é "), value[:-1], value.upper()))


def _delete(holder: Any, key: Any, _: Sequence[Any], __: random.Random) -> None:
    del holder[key]


def _swap(holder: Any, key: Any, _: Sequence[Any], rng: random.Random) -> None:
    other = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key], holder[other] = holder[other], holder[key]


def _give(holder: Any, key: Any, _: Sequence[Any], rng: random.Random) -> None:
    holder[key] = rng.choice(VALUES)


def _add(holder: Any, key: Any, _: Sequence[Any], rng: random.Random) -> None:
    if isinstance(holder, dict):
        holder[rng.choice((f"{key}2", f"{key}"[::-1], *INTERESTING))] = holder[key]
    else:
        holder.insert(rng.randrange(len(holder) + 1), holder[key])


def _take(holder: Any, key: Any, donors: Sequence[Any], rng: random.Random) -> None:
    """Take a piece of another tree, rather one under the same key."""
    pieces = list(places(rng.choice(donors)))
    alike = [piece for piece in pieces if piece[2] == key]
    if pieces:
        _, other, name = rng.choice(alike or pieces)
        holder[key] = other[name]


def _wrap(holder: Any, key: Any, _: Sequence[Any], rng: random.Random) -> None:
    value = holder[key]
    holder[key] = rng.choice(([value], {"use": value}, {f"{key}": value}, str(value)))


_GENTLE = (_nudge, _nudge, _nudge, _swap, _take)
_ROUGH = (_delete, _give, _give, _add, _take, _wrap)
