"""Signatures of the public API, each with the version of the API that it came with: what plugins may rely on.

`python -m tests.accept` writes them down; with `--final` it also declares that the version is final. From then on
nothing of it may go or change without a new major version, and nothing may be added without a new minor one.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache, cached_property
from types import ModuleType
from typing import Any, Self

from pydantic import BaseModel

import hybridrec
from docs import reference
from hybridrec import testing

PROTOCOLS = frozenset(
    ("__call__", "__contains__", "__enter__", "__exit__", "__getitem__", "__init__", "__iter__", "__len__")
)
"""Methods with a name of Python's that callers use."""
_HEADER = "plugin API {api}, final: {final}"
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The accepted signatures.

    since: signature -> the version of the API that it came with
    final: the latest version that plugins may rely on, or None before there is one
    """

    since: Mapping[str, str]
    final: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the snapshot that `written` made this text from."""
        header, *lines = text.splitlines()
        final = header.rpartition(": ")[2]
        versions = (line.split(" ", 1) for line in lines)
        return cls({signature: since for since, signature in versions}, None if final == _NONE else final)

    def written(self, api: str) -> str:
        """Return the content of the file: a header, then a line for each signature."""
        header = _HEADER.format(api=api, final=self.final or _NONE)
        return "\n".join([header, *(f"{since} {signature}" for signature, since in self.since.items())]) + "\n"

    def updated(self, signatures: list[str], api: str) -> Snapshot:
        """Return the snapshot of these signatures; those that are new came with version `api`."""
        gone = [signature for signature in self.since if signature not in set(signatures)]
        since = {}
        for signature in signatures:
            before = [self.since[old] for old in gone if extends(signature, old)]
            since[signature] = self.since.get(signature, before[0] if before else api)
        return Snapshot(since, self.final)

    def violations(self, signatures: list[str], api: str) -> list[str]:
        """Return a sentence for each signature that is gone, changed or new, and may not be so in version `api`.

        A signature that takes further parameters with a default is as good as new. What came after the final version
        may still change.
        """
        if self.final is None:
            return []
        major, minor = _numbers(self.final)
        new = [signature for signature in signatures if signature not in self.since]
        broken = [
            signature
            for signature, since in self.since.items()
            if _numbers(since) <= (major, minor)
            and signature not in set(signatures)
            and not any(extends(other, signature) for other in new)
        ]
        told = []
        if _numbers(api)[0] == major:
            told += [f"{line}: gone or changed, which takes API_VERSION {major + 1}.0" for line in broken]
        if _numbers(api) <= (major, minor):
            told += [f"{line}: new, which takes API_VERSION {major}.{minor + 1}" for line in new]
        return told


def extends(new: str, old: str) -> bool:
    """Return True if one signature is another one with further parameters that have a default.

    Methods that authors of plugins write are as they are: the engine calls theirs.
    """
    name = old.partition("(")[0]
    if name == old or new.partition("(")[0] != name or name.partition(".")[0] in written_by_authors():
        return False
    before, after = (ast.parse(f"def f{line.removeprefix(name)}: ...").body[0] for line in (old, new))
    assert isinstance(before, ast.FunctionDef)
    assert isinstance(after, ast.FunctionDef)
    kept, given = (_parameters(function.args) for function in (before, after))
    positional = [key for key, (kind, *_) in given.items() if kind == "positional"]
    return (
        _dump(before.returns) == _dump(after.returns)
        and all(given.get(key) == parameter for key, parameter in kept.items())
        and all(parameter[2] != "" for key, parameter in given.items() if key not in kept)
        and positional[: sum(key in kept for key in positional)] == [key for key in positional if key in kept]
    )


def _parameters(arguments: ast.arguments) -> dict[str, tuple[str, str, str]]:
    """Return name -> kind, annotation and default, as text; a default of variable arguments is `()`."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    parameters = {
        argument.arg: ("positional", _dump(argument.annotation), _dump(default))
        for argument, default in zip(positional, defaults, strict=True)
    }
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters[argument.arg] = ("keyword", _dump(argument.annotation), _dump(default))
    for star, argument in (("*", arguments.vararg), ("**", arguments.kwarg)):
        if argument is not None:
            parameters[star + argument.arg] = (star, _dump(argument.annotation), "()")
    return parameters


def _dump(node: ast.expr | None) -> str:
    return "" if node is None else ast.dump(node)


@cache
def written_by_authors() -> frozenset[str]:
    """Return the names of the public classes that plugins derive from, or write anew by their protocol."""
    public = {name: getattr(hybridrec, name) for name in hybridrec.__all__}
    return frozenset(
        name
        for name, thing in public.items()
        if inspect.isclass(thing) and (issubclass(thing, hybridrec.Plugin) or getattr(thing, "_is_protocol", False))
    )


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


def signatures() -> list[str]:
    """Return a line for everything that a plugin may import, call, derive from or read, in a fixed order."""
    lines = [f"{name}{reference.signature(hook)}" for name, hook in reference.HOOKS.items()]
    for name in sorted(hybridrec.__all__):
        thing = getattr(hybridrec, name)
        if inspect.ismodule(thing):
            for inner in sorted(thing.__all__):
                lines += of(f"{name}.{inner}", getattr(thing, inner), thing)
        elif name != "API_VERSION":
            lines += of(name, thing)
    for name in sorted(testing.__all__):
        lines += of(f"testing.{name}", getattr(testing, name), testing)
    return list(dict.fromkeys(lines))


def of(name: str, thing: Any, module: ModuleType | None = None) -> Iterator[str]:
    """Yield the lines of a public class, function or constant."""
    if inspect.isclass(thing) and thing is not str and thing.__module__.partition(".")[0] == hybridrec.__name__:
        bases = ", ".join(base.__name__ for base in thing.__bases__ if base is not object)
        yield f"class {name}({bases})" if bases else f"class {name}"
        for base in thing.__mro__:
            if base is thing or (base.__module__.startswith("hybridrec.") and not _is_public(base)):
                yield from members(name, base)
    elif inspect.isfunction(thing):
        yield f"{name}{_parameters_of(thing)}"
    else:
        yield definition(name, module)


def members(name: str, cls: type) -> Iterator[str]:
    """Yield a line for each public attribute, property and method that a class defines."""
    defaults = _defaults(cls)
    for attribute, annotation in vars(cls).get("__annotations__", {}).items():
        if not attribute.startswith("_"):
            yield f"{name}.{attribute}: {annotation}{defaults.get(attribute, '')}"
    for attribute, member in tuple(vars(cls).items()):
        if attribute.startswith("test_") or (attribute.startswith("_") and attribute not in PROTOCOLS):
            continue
        if attribute == "__init__" and (issubclass(cls, BaseModel) or getattr(cls, "_is_protocol", False)):
            continue
        if isinstance(member, property | cached_property):
            function = member.fget if isinstance(member, property) else member.func
            result = inspect.signature(function).return_annotation if function is not None else Any
            yield f"{name}.{attribute}: {result}"
        elif inspect.isfunction(function := getattr(member, "__func__", member)):
            yield f"{name}.{attribute}{_parameters_of(function)}"


def definition(name: str, module: ModuleType | None) -> str:
    """Return the definition of a constant or an alias as it is written, or its name if it calls something."""
    home = module or importlib.import_module(f"hybridrec.{reference.homes()[name]}")
    source = inspect.getsource(home)
    for statement in ast.parse(source).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(defined)) | ast.Assign(targets=[ast.Name(defined)]) if defined == name:
                if not any(isinstance(node, ast.Call) for node in ast.walk(statement)):
                    return " ".join((ast.get_source_segment(source, statement) or "").split())
    return name


def _is_public(cls: type) -> bool:
    return any(getattr(module, cls.__name__, None) is cls for module in (hybridrec, testing))


def _parameters_of(function: Any) -> str:
    """Return parameters and result of a function; a default that is made by a factory is `...`."""
    return reference.signature(function).replace("<factory>", "...")


def _defaults(cls: type) -> dict[str, str]:
    """Return the default of each attribute that has one, as it follows the annotation; those of factories as `...`.

    The defaults of a data class are those of its `__init__`.
    """
    if is_dataclass(cls):
        return {}
    if issubclass(cls, BaseModel):
        optional = {name: field for name, field in cls.model_fields.items() if not field.is_required()}
        return {
            name: " = ..." if field.default_factory is not None else f" = {_shown(field.default)}"
            for name, field in optional.items()
        }
    return {name: f" = {_shown(value)}" for name, value in vars(cls).items()}


def _shown(value: object) -> str:
    """Return a value as code; of an object of a class of ours its class alone."""
    if isinstance(value, type):
        return value.__name__
    if type(value).__module__.partition(".")[0] == hybridrec.__name__:
        return f"{type(value).__name__}(...)"
    return repr(value)
