"""The public API is what plugins were written for: nothing goes or changes, and what comes is told by the version."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Protocol

import pytest

import hybridrec
from hybridrec import kernels
from tests import accept, signatures
from tests.signatures import Snapshot, extends

NOW = signatures.signatures()


def test_the_version_allows_what_has_changed():
    """`python -m tests.accept` says the same, and writes nothing where it is not so."""
    assert accept.accepted().violations(NOW, hybridrec.API_VERSION) == []


def test_no_signature_came_with_a_later_version_than_there_is():
    snapshot = accept.accepted()
    versions = {*snapshot.since.values(), snapshot.final or hybridrec.API_VERSION}
    numbers = {tuple(map(int, version.split("."))) for version in versions}
    assert max(numbers) <= tuple(map(int, hybridrec.API_VERSION.split(".")))


@pytest.mark.parametrize("name", [name for name in hybridrec.__all__ if name != "API_VERSION"])
def test_every_public_name_has_a_line(name):
    named = re.compile(rf"(class )?{name}\b")
    assert any(named.match(line) for line in NOW)


def test_methods_fields_properties_and_kernels_have_lines():
    for line in (
        "Pool.ranked(self, final: Floats, **extras: Floats) -> Pool",
        "Pool.final: Floats | None",
        "Pool.valid: Bools",
        "Component.folds_in: bool = False",
        "Ragged.last(self, n: int) -> Ragged",
        "kernels.hits(ids: Ints, truth: Sparse) -> Bools",
        "class DenseModel(Generator, Scorer)",
        "hybridrec_starters(data: DataProfile) -> Sequence[Starter | StarterConfig]",
        "PADDING = -1",
    ):
        assert line in NOW
    assert sum(line.startswith("kernels.") for line in NOW) >= len(kernels.__all__)


class Base:
    def inherited(self) -> int: ...


class Thing(Base):
    """Has one of each."""

    share: ClassVar[float] = 0.5
    _hidden: int = 1

    def __init__(self, size: int = 3) -> None: ...
    def act(self, *, twice: bool = False) -> None: ...
    def _inner(self) -> None: ...

    @classmethod
    def of(cls, size: int) -> Thing: ...

    @cached_property
    def area(self) -> float: ...


@dataclass(frozen=True)
class Row:
    """Two fields."""

    key: str
    values: list[int] = field(default_factory=list)


def test_the_lines_of_a_class_are_its_own_public_ones():
    assert list(signatures.members("Thing", Thing)) == [
        "Thing.share: ClassVar[float] = 0.5",
        "Thing.__init__(self, size: int = 3) -> None",
        "Thing.act(self, *, twice: bool = False) -> None",
        "Thing.of(cls, size: int) -> Thing",
        "Thing.area: float",
    ]
    assert list(signatures.members("Row", Row)) == [
        "Row.key: str",
        "Row.values: list[int]",
        "Row.__init__(self, key: str, values: list[int] = ...) -> None",
    ]


BEFORE = Snapshot({"f(a: int) -> int": "1.0", "class A": "1.0", "A.b: int": "1.0", "late(x: int)": "1.1"}, "1.0")


@pytest.mark.parametrize(("now", "api", "told"), [
    (["f(a: int) -> int", "class A", "A.b: int", "late(x: int)"], "1.0", []),
    (["f(a: int) -> int", "class A", "late(x: int)"], "1.1",
     ["A.b: int: gone or changed, which takes API_VERSION 2.0"]),
    (["f(a: str) -> int", "class A", "A.b: int", "late(x: int)"], "1.1",
     ["f(a: int) -> int: gone or changed, which takes API_VERSION 2.0"]),
    (["f(a: str) -> int", "late(x: int)"], "2.0", []),
    (["f(a: int) -> int", "class A", "A.b: int", "A.c: int", "late(x: int)"], "1.0",
     ["A.c: int: new, which takes API_VERSION 1.1"]),
    (["f(a: int) -> int", "class A", "A.b: int", "A.c: int", "late(x: int)"], "1.1", []),
    (["f(a: int, b: int = 0) -> int", "class A", "A.b: int", "late(x: int)"], "1.0",
     ["f(a: int, b: int = 0) -> int: new, which takes API_VERSION 1.1"]),
    (["f(a: int, b: int = 0) -> int", "class A", "A.b: int", "late(x: int)"], "1.1", []),
    (["f(a: int, b: int) -> int", "class A", "A.b: int", "late(x: int)"], "1.1",
     ["f(a: int) -> int: gone or changed, which takes API_VERSION 2.0"]),
    (["f(a: int) -> int", "class A", "A.b: int", "late(y: int)"], "1.1", []),  # 1.1 is not final yet
    (["f(a: int) -> int", "class A", "A.b: int"], "1.1", []),
])  # fmt: skip
def test_what_goes_or_comes_takes_another_version(now, api, told):
    assert BEFORE.violations(now, api) == told
    assert replace(BEFORE, final=None).violations(now, api) == []


def test_a_snapshot_survives_its_file_and_remembers_since_when():
    assert Snapshot.parse(BEFORE.written("1.1")) == BEFORE
    assert Snapshot.parse(replace(BEFORE, final=None).written("1.1")).final is None
    assert BEFORE.updated(["class A", "f(a: int, b: int = 0) -> int", "new()"], "1.1").since == {
        "class A": "1.0", "f(a: int, b: int = 0) -> int": "1.0", "new()": "1.1",
    }  # fmt: skip


@pytest.mark.parametrize(("new", "old", "does"), [
    ("f(a, b=1)", "f(a)", True),
    ("f(a, *, b: int = 1) -> str", "f(a) -> str", True),
    ("f(a, **more)", "f(a)", True),
    ("f(b=1, a=2)", "f(a=2)", False),
    ("f(a, b)", "f(a)", False),
    ("f(a: int)", "f(a)", False),
    ("f(a=2)", "f(a=1)", False),
    ("f(a, b=1) -> int", "f(a) -> str", False),
    ("f(*, a)", "f(a)", False),
    ("g(a, b=1)", "f(a)", False),
    ("A.b: int", "A.b: str", False),
    ("Pool.take(self, rows, more=1)", "Pool.take(self, rows)", True),
    ("Scorer.score(self, queries, more=1)", "Scorer.score(self, queries)", False),  # plugins write it
    ("Executor.submit(self, jobs, more=1)", "Executor.submit(self, jobs)", False),
])  # fmt: skip
def test_parameters_with_defaults_extend_a_signature(new, old, does):
    assert extends(new, old) is does


class Shaped(Protocol):
    size: int

    def area(self) -> float: ...


def test_a_protocol_has_no_constructor():
    assert list(signatures.members("Shaped", Shaped)) == ["Shaped.size: int", "Shaped.area(self) -> float"]
