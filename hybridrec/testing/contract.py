"""Base classes of all contract suites, whose checks pytest collects and `hybridrec check-plugin` runs."""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.errors import PluginError, did_you_mean
from hybridrec.plugin import Plugin, field_docstrings
from hybridrec.secret import redacted
from hybridrec.testing._helpers import assert_unchanged, contents, queries_of_all_kinds, toy
from hybridrec.testing.datasets import toy_dataset, toy_queries
from hybridrec.tracing import blame, plugin_frames, writes

if TYPE_CHECKING:
    import pytest

PREFIX = "test_"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one case of a check; `message` describes the failure, or the reason why it was expected."""

    check: str
    case: str
    status: Literal["passed", "failed", "expected failure", "not applicable"]
    message: str = ""


class Contract:
    """Base class of the contract suites: every method `test_*` is a check, run once for each of `configs`.

    pytest runs the checks if it collects a subclass called Test...; `run_checks` runs them without pytest. A plugin
    class declares its known failures in `expected_failures`, by the name of the check without `test_`, or by
    `name[case]` for a single case. An expected failure that passes counts as a failure.
    """

    role: ClassVar[str]
    """The attribute of a subclass that holds the class under test: component, reranker, reader, ..."""
    configs: ClassVar[Sequence[Mapping[str, Any]] | None] = None
    """The options with which the class is checked: a mapping for each run of the suite, by default `check_configs`."""

    @classmethod
    def subject(cls) -> Any:
        """Return the object under test, usually a class."""
        return getattr(cls, cls.role)

    @classmethod
    def package(cls) -> str:
        """Return the name of the package in which the object under test is defined."""
        return str(cls.subject().__module__).partition(".")[0]

    @classmethod
    def unfit(cls, options: Mapping[str, Any]) -> str | None:
        """Return the reason why the suite cannot check the object under test with these options; None if it can."""
        return None

    @classmethod
    def parameters(cls) -> dict[str, dict[str, Any]]:
        """Return the arguments that checks may take: name of the argument -> name of the case -> value."""
        configs = getattr(cls.subject(), "check_configs", ({},)) if cls.configs is None else cls.configs
        return {"options": {json.dumps(dict(options), default=str): options for options in configs}}

    @classmethod
    def checks(cls) -> list[str]:
        """Return the names of all checks, in the order in which the class defines them."""
        names = [name for base in reversed(cls.__mro__) for name in vars(base) if name.startswith(PREFIX)]
        return [name.removeprefix(PREFIX) for name in dict.fromkeys(names)]

    @classmethod
    def idle(cls) -> set[str]:
        """Return the names of checks that do not apply to the class under test; pytest shows them as passed."""
        return set()

    @classmethod
    def expected(cls, check: str, case: Sequence[str]) -> str | None:
        """Return the reason why this case of a check is expected to fail; None if it should pass.

        Raises PluginError if `expected_failures` of the class names an unknown check.
        """
        declared: Mapping[str, str] = getattr(cls.subject(), "expected_failures", {})
        for name in declared:
            if (plain := name.partition("[")[0]) not in cls.checks():
                message = f"{cls.subject().__name__}.expected_failures: unknown check '{plain}'"
                raise PluginError(f"{message}; {did_you_mean(plain, cls.checks())}")
        keys = (check, *(f"{check}[{option}]" for option in case))
        return next((declared[key] for key in keys if key in declared), None)

    def prepare(self, options: Mapping[str, Any]) -> None:
        """Prepare the checks with these options; by default it does nothing.

        `run_checks` calls it first, and runs no check if it raises an error.
        """

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of pytest for each case of a check."""
        import pytest

        check = metafunc.function.__name__.removeprefix(PREFIX)
        for name, values in self.parameters().items():
            if name not in metafunc.fixturenames:
                continue
            cases = []
            for case, value in values.items():
                reason = self.expected(check, (case,))
                marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
                cases.append(pytest.param(value, id=case, marks=marks))
            metafunc.parametrize(name, cases)


class PluginContract(Contract):
    """Base class of the contract suites for plugin classes, with the checks of name, version and options."""

    @classmethod
    def subject(cls) -> type[Plugin]:
        """Return the plugin class under test."""
        return getattr(cls, cls.role)

    def options(self, options: Mapping[str, Any]) -> Any:
        """Validate these options, and return them as an instance of the class's `Config`."""
        return self.subject().Config.model_validate(options)

    def test_config_fields_are_documented(self, options: Mapping[str, Any]) -> None:
        """Require a description of every option and a docstring of the class, from which reference pages are made."""
        model = self.subject().Config
        described = field_docstrings(model)
        bare = [name for name, field in model.model_fields.items() if not (field.description or described.get(name))]
        problem = f"{', '.join(bare)} of {model.__qualname__} has no description"
        assert not bare, f'{problem}: write a """sentence.""" under it'
        assert inspect.getdoc(self.subject()), f"{self.subject().__qualname__} has no docstring"

    def test_has_a_name_and_a_version(self, options: Mapping[str, Any]) -> None:
        """Require `name` (the name in the YAML), `version` and each of `reads_versions` to be text."""
        made = self.subject()(self.options(options))
        assert isinstance(made.name, str), "the name is not text"
        assert made.name, "the name is empty"
        assert isinstance(made.version, str), "the version is not text"
        older: object = getattr(made, "reads_versions", frozenset())
        assert isinstance(older, frozenset), "`reads_versions` is not a frozenset"
        assert all(isinstance(version, str) for version in older), (
            "`reads_versions` contains a version that is not text"
        )


class DataContract(PluginContract):
    """Base class of the suites that check a class on data.

    The class under test can provide this data by `check_data`; otherwise it is the toy dataset. A suite may override
    `data`.
    """

    def data(self) -> Dataset:
        """Return the data of the checks."""
        return data_of(self.subject())

    def queries(self) -> QueryBatch:
        """Return a batch with all kinds of queries for the data of the checks."""
        data = self.data()
        return queries_of_all_kinds() if data is toy() else toy_queries(data)


class QueryContract(DataContract):
    """Base class of the suites for plugin classes that take queries and data, such as filters and segmenters."""

    def made(self, options: Mapping[str, Any]) -> Any:
        """Build an instance of the class under test."""
        return self.subject()(self.options(options))

    def ask(self, options: Mapping[str, Any], data: Dataset, queries: QueryBatch) -> None:
        """Make an instance, and call each of its methods that takes queries or data.

        `test_does_not_write_to_its_input` calls it, and checks that the queries and data are unchanged.
        """
        raise NotImplementedError

    def test_does_not_write_to_its_input(self, options: Mapping[str, Any]) -> None:
        """Require data and queries to be unchanged after use, since other plugins share them."""
        queries = self.queries()
        data = toy_dataset() if self.data() is toy() else self.data()
        before = contents(data=data, queries=queries)
        self.ask(options, data, queries)
        assert_unchanged(before, data=data, queries=queries)


@lru_cache(maxsize=16)
def data_of(cls: type[Plugin]) -> Dataset:
    """Return the data on which a class is checked: the result of `check_data`, or the toy dataset if that is None.

    Raises PluginError if `check_data` returns something other than a Dataset or None.
    """
    data = cls.check_data()
    if data is None:
        return toy()
    if not isinstance(data, Dataset):
        raise PluginError(f"{cls.__name__}.check_data must return a Dataset or None, not {type(data).__name__}")
    return data


def run_checks(contract: type[Contract], began: Callable[[str], None] | None = None) -> Iterator[Outcome]:
    """Run all checks of a contract class in all their cases, without pytest, and yield an outcome for each case.

    If the checks cannot be prepared with some options, this failure is the only outcome. `began` is called with the
    name of each check before its first case.
    """
    began = began or (lambda _: None)
    suite, parameters = contract(), contract.parameters()
    package = contract.package()
    began("prepare")
    for name, options in parameters["options"].items():
        prepared = _outcome("prepare", [name], lambda: suite.prepare(options), None, package)  # noqa: B023
        if prepared.status == "failed":
            yield prepared
            return
    idle = contract.idle()
    for check in contract.checks():
        began(check)
        method = getattr(suite, PREFIX + check)
        wanted = [name for name in inspect.signature(method).parameters if name in parameters]
        for case in itertools.product(*(parameters[name].items() for name in wanted)):
            names = [name for name, _ in case]
            given = dict(zip(wanted, (value for _, value in case), strict=True))
            expected = contract.expected(check, names)
            outcome = _outcome(check, names, lambda: method(**given), expected, package)  # noqa: B023
            passed = outcome.status == "passed"
            yield replace(outcome, status="not applicable") if passed and check in idle else outcome


def _outcome(check: str, names: Sequence[str], call: Any, reason: str | None, package: str) -> Outcome:
    case = ", ".join(names)
    try:
        call()
    except Exception as error:
        if reason is not None:
            return Outcome(check, case, "expected failure", reason)
        if writes(error):
            return Outcome(check, case, "failed", blame(error, package))
        message = f"{type(error).__name__}: {error}".removeprefix("AssertionError: ")
        return Outcome(check, case, "failed", redacted(message + _place(error, package)))
    if reason is not None:
        return Outcome(
            check,
            case,
            "failed",
            f"passes, though it is expected to fail ({reason}): remove it from `expected_failures`",
        )
    return Outcome(check, case, "passed")


def _place(error: Exception, package: str) -> str:
    """Return " (FILE:LINE)" for the line of the plugin that raised an error; "" if the check itself raised it."""
    lines = plugin_frames(error, package)
    return f" ({Path(lines[-1].filename).name}:{lines[-1].lineno})" if lines else ""
