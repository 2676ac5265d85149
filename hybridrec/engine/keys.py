"""Keys of results in the store: digests of everything that decides them, such as options, sources and data."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import itertools
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import hybridrec.data
from hybridrec.config.experiment import CheckedExperiment, ComponentSpec, FilterSpec
from hybridrec.data.fingerprint import fingerprint, json_digest
from hybridrec.data.readers.base import Reader
from hybridrec.plugin import Options, Plugin
from hybridrec.registry.source_digest import is_installed
from hybridrec.secret import KEYED
from hybridrec.stages.component import Component
from hybridrec.stages.filter import Filter


def reranker_key(spec: ComponentSpec, *learned_from: str) -> str:
    """Return a digest of everything that decides the output of a re-ranker.

    `learned_from` are digests of the data and models on which it was fitted, and of what it learned.
    """
    options = _options(spec.options)
    # An option may itself be a plugin, such as a normaliser.
    classes = [spec.cls, *(type(value) for _, value in spec.options if isinstance(value, Plugin))]
    source = [[[cls.version, _source(cls, spec.digests)] for cls in classes], library_versions(spec.requires)]
    device = [] if spec.decisive_device is None else [{"device": spec.decisive_device}]
    return digest(spec.cls.name, options, source, *learned_from, *device)


def filter_key(fitted: Filter, spec: FilterSpec) -> str:
    """Return a digest of everything that decides what a fitted filter excludes; `spec` is its entry in the config."""
    state = fingerprint(*itertools.chain.from_iterable(fitted.state().items()))
    return digest(fitted.name, fitted.version, _source(type(fitted), spec.digests), _options(fitted.config), state)


def digest(*values: object) -> str:
    """Return the hex digest of values that can be written as JSON."""
    return json_digest(values)


def fit_key(
    spec: ComponentSpec, fingerprint: str, seed: int, repeat: int = 1, *, uses: str | None = None, validation: str = ""
) -> str:
    """Return a hex digest of everything that decides a fit: its key in the store.

    fingerprint: fingerprint of the training part
    uses: key of the fit of the base model, if there is one
    validation: fingerprint of the validation split, if the component validates
    """
    decisive: dict[str, object] = {
        "component": spec.cls.name,
        "options": _options(spec.options),
        "data": fingerprint,
        "label": spec.label,
        "seed": seed,
        "threads": 1,
        **made_by(spec),
    }
    if uses is not None:
        decisive["uses"] = uses
    if validation:
        decisive["validation"] = validation
    if spec.decisive_device is not None:
        decisive["device"] = spec.decisive_device
    if repeat > 1:
        decisive["repeat"] = repeat
    return json_digest(decisive)


def made_by(spec: ComponentSpec) -> dict[str, object]:
    """Return the version of a component, the digest of its source, and the versions of its libraries."""
    return {
        "version": spec.cls.version,
        "source": _source(spec.cls, spec.digests),
        "libraries": library_versions(spec.requires),
    }


def prepared_key(spec: ComponentSpec, component: Component, catalogue: str) -> str:
    """Return a digest of everything that decides the arrays that a component prepares from a catalogue.

    catalogue: the fingerprint of the catalogue
    """
    source = [spec.cls.version, _source(spec.cls, spec.digests), library_versions(spec.requires), spec.decisive_device]
    return digest("prepared 1", spec.cls.name, _options(component.preparer().config), source, catalogue)


def _options(options: Options) -> dict[str, Any]:
    """Return options as plain values without secrets, since a password does not change a result."""
    return options.model_dump(mode="json", context={KEYED: True})


def data_key(experiment: CheckedExperiment, fingerprint: str) -> str | None:
    """Return the key in the store of the experiment's data; `fingerprint` is the result of `Reader.fingerprint`.

    Returns None if the data must be read in every run, because it comes from frames, or because the source code of the
    reader is unknown.
    """
    reader, source = experiment.reader, experiment.reader_digest
    if source is None or reader.frames:
        return None
    below = [
        source_hash(base) for base in type(reader).__mro__ if issubclass(base, Reader) and is_installed(base.__module__)
    ]
    made_by = [reader.name, reader.version, source or source_hash(type(reader)), below, library_versions()]
    return digest("data 1", made_by, _options(reader.config), fingerprint)


def _source(cls: type[Plugin], digests: Mapping[type[Plugin], str]) -> str:
    """Return a digest of the source of a plugin's class.

    A class that is not in `digests` has the digest `source_hash`. For a class in `digests`, the sources of the
    installed classes from which it inherits enter as well.

    digests: the digests of classes without packaging; each covers the text of the class and the code that it refers to
    """
    if cls not in digests:
        return source_hash(cls)
    below = [source_hash(base) for base in cls.__mro__ if issubclass(base, Plugin) and is_installed(base.__module__)]
    return digest(digests[cls], below)


@cache
def source_hash(cls: type) -> str:
    """Return a digest of the source of a class, followed by `_engine_hash`.

    The source is all files in the folder of the class's package, or the file of its module outside of packages. Returns
    "unknown" for a class without a file.
    """
    module = inspect.getmodule(cls)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return "unknown"
    is_package = "." in module.__name__ or Path(file).name == "__init__.py"
    files = sorted(Path(file).parent.glob("*.py")) if is_package else [Path(file)]
    return _digest(files) + _engine_hash()


@cache
def _engine_hash() -> str:
    """Return a digest of the code under every component: the data layer and the stages."""
    root = Path(hybridrec.data.__file__).parent.parent
    return _digest([path for package in ("data", "stages") for path in sorted((root / package).rglob("*.py"))])


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def library_versions(modules: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the versions of hybridrec, numpy, scipy and the distributions that provide `modules`, by distribution."""
    names = {"hybridrec", "numpy", "scipy"}.union(*(distributions_with(module) for module in modules))
    return {name: importlib.metadata.version(name) for name in sorted(names)}


@cache
def distributions_with(module: str) -> Collection[str]:
    """Return the names of the distributions that provide an importable module.

    A distribution of the same name is found at once; otherwise the files of all installed distributions are scanned.
    """
    try:
        return [importlib.metadata.metadata(module)["Name"]]
    except importlib.metadata.PackageNotFoundError:
        return importlib.metadata.packages_distributions().get(module, [])
