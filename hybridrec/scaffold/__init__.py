"""The templates from which `hybridrec new-plugin` makes a small, complete, installable plugin.

`templates/common` holds the files that all kinds share; a file with the same path under `templates/KIND` takes the
place of the shared one. PACKAGE in a path is replaced by the name of the package; `string.Template` fills in the text.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from hybridrec import __version__
from hybridrec.errors import ConfigError
from hybridrec.registry import kinds

if TYPE_CHECKING:
    from hybridrec.registry.discovery import Registry

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 30
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def _roles() -> dict[str, tuple[kinds.Kind, kinds.Role]]:
    """Return (kind, role) by the values of `--kind`.

    The values are the roles of all kinds, and `fusion`, which is a re-ranker with a template of its own.
    """
    offered: dict[str, tuple[kinds.Kind, kinds.Role]] = {}
    for kind in kinds.KINDS:
        for role in kind.roles:
            offered[role.name] = kind, role
            if role.base.endswith(":Reranker"):
                offered["fusion"] = kind, role
    return offered


_ROLES = _roles()
_PAGES = {"generator": "model", "scorer": "model", "fusion": "re-ranker"}
"""Role -> name of its page in docs/plugins, for roles whose page has another name."""
KINDS = (*_ROLES,)
"""The values of `--kind`: the roles for which there are templates."""


def new_plugin(name: str, kind: str, parent: Path, registry: Registry) -> Path:
    """Write the distribution `hybridrec-NAME` into a new folder in `parent` and return that folder.

    kind: the kind of class that the plugin offers, one of `KINDS`

    Raises ConfigError if the name is not valid or in use, or if the folder exists. Raises WriteError if the folder
    cannot be written; it is then removed.
    """
    # Not at the top: it takes longer than all else of `--help`.
    from hybridrec.paths import partial_path, remove, sync, sync_folder, writing
    from hybridrec.registry.hookspecs import API_VERSION

    name = name.removeprefix("hybridrec-")
    package = f"hybridrec_{name.replace('-', '_')}"
    _refuse_unfit(name)
    _refuse_taken(name, package, registry)
    folder = parent / f"hybridrec-{name}"
    if folder.exists():
        raise ConfigError(f"{folder} exists; nothing was written. Choose another name, or another folder with --path")
    module = kind.replace("-", "")
    words = {
        "name": name,
        "distribution": folder.name,
        "package": package,
        "kind": kind,
        "module": module,
        "Class": _class_name(name, kind),
        "function": name.replace("-", "_"),
        "version": __version__,
        "api": API_VERSION,
        **_words_of(kind, package),
    }
    partial = partial_path(folder)
    try:
        with writing(folder):
            for path, text in _templates(kind):
                target = partial / path.replace("PACKAGE", package)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(Template(text).substitute(words), encoding="utf-8")
            sync_folder(partial)
            partial.rename(folder)
            sync(parent)
    except BaseException:
        remove(partial)
        raise
    return folder


def _words_of(kind: str, package: str) -> dict[str, str]:
    """Return the words that depend on the kind of plugin, by their placeholders in the templates."""
    offered, role = _ROLES[kind]
    option = f" --set {Template(role.check_options).substitute(package=package)}" if role.check_options else ""
    return {
        "hook": offered.hook,
        "base": offered.base_name,
        "contract": role.contract.partition(":")[2],
        "role": kinds.resolve(role.contract).role,
        "option": option,
        "page": _PAGES.get(kind, kind),
    }


def _class_name(name: str, kind: str) -> str:
    """Return the name of the plugin's class: MoodReader for a reader called `mood` or `mood-reader`."""
    module, last = kind.replace("-", ""), kind.rpartition("-")[2]
    plain = name.replace("-", "")
    # Of the kind's word alone would come the name of the base class.
    repeats = plain != module and plain.removesuffix("s").endswith(last)
    return "".join(word.capitalize() for word in (*name.split("-"), *([] if repeats else [module])))


def _templates(kind: str) -> Iterator[tuple[str, str]]:
    """Yield (path, text) for every file of a new plugin of this kind; the placeholders are not yet replaced."""
    templates: dict[str, Path] = {}
    for root in (TEMPLATES / "common", TEMPLATES / kind):
        templates |= {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.tmpl"))}
    for relative, path in templates.items():
        yield relative.removesuffix(".tmpl"), path.read_text(encoding="utf-8")


def _refuse_unfit(name: str) -> None:
    if len(name) > LONGEST:
        raise ConfigError(f"'{name}' has {len(name)} characters; a name has at most {LONGEST}")
    if not _NAME.fullmatch(name):
        words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)
        better = "-".join(words).lower().lstrip("0123456789-")
        hint = f", for example '{better}'" if better else ""
        raise ConfigError(f"'{name}' is not a valid name of a plugin: use lower-case words and hyphens{hint}")


def _refuse_taken(name: str, package: str, registry: Registry) -> None:
    for provider in registry.providers:
        if provider.name == name:
            raise ConfigError(f"{provider} already has this name; choose another one")
    for kind, _ in registry.named(name):
        raise ConfigError(f"a {kind.name} '{name}' already exists; choose another name")
    if importlib.util.find_spec(package) is not None:
        raise ConfigError(f"a package {package} is already installed; choose another name")
