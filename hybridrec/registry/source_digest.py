"""Digests of classes that are in no distribution; they cover the text of a class and all code that it refers to."""

from __future__ import annotations

import ast
import dis
import hashlib
import importlib.util
import inspect
import io
import linecache
import pickle
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

_INSTALLED = {"site-packages", "dist-packages"}
"""Names of the folders into which distributions are installed."""


def source_digest(cls: type, *, compiled: bool = True) -> str | None:
    """Return a hex digest of the text of a class and of the functions, classes and values that it refers to.

    By default the digest covers the compiled code of functions, which has no comments, since their text may have been
    edited after they were defined. If `compiled` is False, the digest covers their text instead, and is the same under
    every version of Python.

    Of the class's own module, which may be a notebook, the digest covers only the functions, classes and values that
    the class refers to, as they are now. It covers whole files of other modules that are in no distribution, and
    nothing of installed modules. Returns None if the source is unknown.
    """
    reach = _Reach(cls.__module__, compiled)
    try:
        reach.visit(cls)
    except _NoSourceError:
        return None
    return reach.digest.hexdigest()


class _NoSourceError(Exception):
    """The error for a class whose text is unknown, or that refers to a value that cannot be digested."""


def is_installed(module: str) -> bool:
    """Return True for a module of hybridrec, of Python itself or of an installed distribution."""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names or root == "hybridrec":
        return True
    return (place := _place(root)) is not None and not _INSTALLED.isdisjoint(place.parts)


def _place(root: str) -> Path | None:
    """Return the file of a top-level module, or the folder of a package; None for a module without a file."""
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):  # `__main__` has no specification
        spec = None
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    file = getattr(sys.modules.get(root), "__file__", None) if spec is None else spec.origin
    return Path(file).resolve() if file is not None and Path(file).is_file() else None


class _Reach:
    """A walk over a class and everything that it refers to, which builds the digest of all visited objects.

    `home` is the name of the class's module; `compiled` has the meaning that it has in `source_digest`.
    """

    def __init__(self, home: str, compiled: bool) -> None:
        self.home = home
        self.compiled = compiled
        self.digest = hashlib.blake2b(digest_size=16)
        # Visited objects by identity; they are kept, as the identity of one that is gone may be that of another.
        self._seen: dict[int, tuple[int, object]] = {}
        self._files: set[str] = set()

    def feed(self, *texts: object) -> None:
        """Add texts to the digest, each preceded by its length."""
        for text in texts:
            self.digest.update(f"{len(str(text))}:{text}".encode("utf-8", "surrogatepass"))

    def visit(self, value: Any) -> None:
        """Add a value to the digest, with everything that it refers to, unless it was added before."""
        if id(value) in self._seen:
            self.feed("seen", self._seen[id(value)][0])
            return
        if not _has_code(value):
            self._value(value)
            return
        self._seen[id(value)] = (len(self._seen), value)
        module = value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", "builtins"))
        if isinstance(value, ModuleType) or (module != self.home and module != "__main__"):
            self.feed(getattr(value, "__qualname__", value.__name__))
            self._module(module.partition(".")[0])
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, FunctionType):
            self._function(value)
        else:  # the result of a decorator such as `functools.cache`
            self.visit(value.__wrapped__)

    def _value(self, value: Any) -> None:
        content = io.BytesIO()
        try:
            _Pickler(content, self).dump(value)
        except _NoSourceError:
            raise
        except Exception:  # anything may be a global of a notebook: a lock, a connection
            if _place(self.home.partition(".")[0]) is None:
                raise _NoSourceError from None
            self._module(self.home.partition(".")[0])
            return
        self.feed(content.getvalue())

    def _class(self, cls: type) -> None:
        for base in cls.__bases__:
            self.visit(base)
        node, text = _definition(cls)
        self.feed(ast.unparse(node) if self.compiled else ast.get_source_segment(text, node))
        members = _members(cls)
        for function in (each for member in members for each in _functions(member)):
            self.visit(function)
        for member in members:
            if _is_plain(member):
                self.visit(member)
        beside = vars(sys.modules[cls.__module__])
        names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
        self._names(names, beside)
        if "." in cls.__module__:  # its relative imports lead to the rest of the package
            self._module(cls.__module__.partition(".")[0])

    def _function(self, function: FunctionType) -> None:
        code = function.__code__
        if self.compiled:
            for nested in _codes(code):
                self.feed(nested.co_code.hex(), nested.co_names, nested.co_varnames, *map(_constant, nested.co_consts))
        else:
            with suppress(OSError, TypeError):  # what `dataclass` makes, say, follows from the text of its class
                self.feed(inspect.getsource(code))
        for value in (*(function.__defaults__ or ()), *dict(sorted((function.__kwdefaults__ or {}).items())).values()):
            self.visit(value)
        for cell in function.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self.visit(value)
        self._names({name for nested in _codes(code) for name in nested.co_names}, function.__globals__)
        for nested in _codes(code):
            for instruction in dis.get_instructions(nested):
                if instruction.opname == "IMPORT_NAME" and instruction.argval:
                    self._module(instruction.argval.partition(".")[0])

    def _names(self, names: set[str], beside: dict[str, Any]) -> None:
        for name in sorted(names):
            if name in beside and not _is_made(name):
                self.feed(name)
                self.visit(beside[name])

    def _module(self, root: str) -> None:
        """Add the files of a module, and of the modules that it imports, unless they are installed."""
        if root in self._files:
            return
        self._files.add(root)
        if is_installed(root) or (place := _place(root)) is None:
            return
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            text = file.read_bytes() if file.suffix == ".py" else b""
            self.feed(file.name, hashlib.blake2b(file.read_bytes()).hexdigest())
            try:
                nodes = list(ast.walk(ast.parse(text)))
            except (SyntaxError, ValueError):
                continue
            imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
            imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
            for name in sorted(imported):
                self._module(name.partition(".")[0])


class _Pickler(pickle.Pickler):
    """A pickler whose bytes depend on the content of a value alone, for digests.

    Pickle writes functions and classes as names; here their code enters the digest of `reach`. Sets are sorted, and
    arrays are replaced by hashes, so that equal values give equal bytes in every process and with every numpy.
    """

    def __init__(self, file: io.BytesIO, reach: _Reach) -> None:
        super().__init__(file, protocol=4)
        self.fast = True  # equal values give equal bytes, whether or not they share parts
        self._reach = reach

    def persistent_id(self, value: Any) -> object:
        """Return the text that is written in place of code, a set or an array; None for a value to pickle as usual.

        Code is a function, class or module; it is also visited, so that it is part of the digest.
        """
        if _has_code(value):
            self._reach.visit(value)
            return "code"
        if isinstance(value, (set, frozenset)):
            return f"set {sorted(map(repr, value))}"
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:  # versions of numpy pickle arrays in other ways
            return f"array {value.dtype.str} {value.shape} {hashlib.blake2b(value.tobytes()).hexdigest()}"
        return None


def _has_code(value: object) -> bool:
    """Return True for modules, classes and functions written in Python, decorated ones included."""
    return isinstance(value, (ModuleType, type, FunctionType)) or (
        callable(value) and hasattr(value, "__wrapped__") and hasattr(value, "__module__")
    )


def _is_made(name: str) -> bool:
    """Return True for a name that Python or pydantic gives to an attribute, rather than the author."""
    return (name.startswith("__") and name.endswith("__")) or name.startswith(("_abc_", "model_"))


def _members(cls: type) -> list[Any]:
    """Return the attributes that the author gave to a class, in order of their names, without those of pydantic."""
    given = {name: value for name, value in vars(cls).items() if isinstance(value, FunctionType) or not _is_made(name)}
    return [given[name] for name in sorted(given)]


def _is_plain(value: object) -> bool:
    """Return True for an attribute of a class that is neither a function nor a descriptor."""
    return not hasattr(type(value), "__get__")


def _functions(member: Any) -> Iterator[FunctionType]:
    """Yield the functions in an attribute of a class: a method itself, or those of a property or class method."""
    inner = (getattr(member, name, None) for name in ("__func__", "fget", "fset", "func", "__wrapped__"))
    yield from (each for each in (member, *inner) if isinstance(each, FunctionType))


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code object of a function, and the code objects of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _constant(value: object) -> str:
    """Return a constant of a function as text; sets are sorted, since their order differs between processes."""
    if isinstance(value, CodeType):
        return value.co_name
    return f"{sorted(map(repr, value))}" if isinstance(value, frozenset) else repr(value)


def _definition(cls: type) -> tuple[ast.ClassDef, str]:
    """Return (statement, text): the statement that defines a class, and the text of the file that contains it.

    Raises _NoSourceError if they cannot be found.
    """
    own = [
        function
        for member in _members(cls)
        for function in _functions(member)
        if function.__qualname__.startswith(f"{cls.__qualname__}.")
    ]
    module = sys.modules.get(cls.__module__)
    file = own[0].__code__.co_filename if own else getattr(module, "__file__", None)
    if module is None or file is None:
        raise _NoSourceError
    linecache.checkcache(file)
    text = "".join(linecache.getlines(file))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        raise _NoSourceError from None
    nodes = [node for name, node in _definitions(tree, "") if name == cls.__qualname__]
    lines = {function.__code__.co_firstlineno for function in own}
    around = [node for node in nodes if lines and all(node.lineno <= at <= (node.end_lineno or 0) for at in lines)]
    if not nodes or (lines and not around):
        raise _NoSourceError
    return (around or nodes)[-1], text


def _definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield (qualified name, statement) for each class that is defined below a node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield f"{prefix}{child.name}", child
            yield from _definitions(child, f"{prefix}{child.name}.")
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _definitions(child, f"{prefix}{child.name}.<locals>.")
        else:
            yield from _definitions(child, prefix)
