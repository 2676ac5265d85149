"""What a plugin module offers, and whether it fits: its API version, its hooks, the classes it returns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pluggy

from hybridrec.errors import PluginError, did_you_mean
from hybridrec.plugin import Plugin
from hybridrec.registry.hookspecs import API_VERSION
from hybridrec.registry.slips import refuse_slips
from hybridrec.tracing import traced

KINDS = ("components", "normalisers", "readers", "splitters", "metrics")
"""What a plugin may offer: the hook `hybridrec_` + kind returns its classes."""
_VERSION = re.compile(r"[0-9]+\.[0-9]+")


def refuse_other_api(module: object, name: str) -> None:
    """Refuse a plugin that was written for another major version of the API, or for a later minor one."""
    wanted = getattr(module, "requires_api", None)
    if wanted is None:
        return
    if not (isinstance(wanted, str) and _VERSION.fullmatch(wanted)):
        raise PluginError(
            f'{name}.requires_api is {wanted!r}; write the version of the API, for example "{API_VERSION}"'
        )
    (major, minor), (our_major, our_minor) = (tuple(map(int, v.split("."))) for v in (wanted, API_VERSION))
    if (major, minor) > (our_major, our_minor):
        raise PluginError(f"{name} needs plugin API {wanted}, this hybridrec has {API_VERSION}: upgrade hybridrec")
    if major < our_major:
        raise PluginError(f"{name} was written for plugin API {wanted}, this hybridrec has {API_VERSION}: "
                          "look for a later version of the plugin")  # fmt: skip


def refuse_unknown_hooks(manager: pluggy.PluginManager, module: object) -> None:
    """Refuse a registered module with an implementation of a hook that there is not: it would never be called."""
    known = [name for name, hook in vars(manager.hook).items() if hook.has_spec()]
    for hook in manager.get_hookcallers(module) or ():
        wanted = any(impl.plugin is module and not impl.optionalhook for impl in hook.get_hookimpls())
        if wanted and not hook.has_spec():
            raise PluginError(f"unknown hook '{hook.name}': {did_you_mean(hook.name, known)}")


def offered(manager: pluggy.PluginManager, module: object) -> Iterator[type[Plugin]]:
    """The classes that one plugin module returns from its hooks, checked."""
    for kind in KINDS:
        hook = f"hybridrec_{kind}"
        for impl in getattr(manager.hook, hook).get_hookimpls():
            if impl.plugin is not module:
                continue
            with traced(f"{hook} of {impl.plugin_name}"):
                classes = impl.function()
            if not isinstance(classes, Iterable) or isinstance(classes, str):
                raise PluginError(f"{hook} must return a list of classes, got {classes!r}")
            for cls in classes:
                if not (isinstance(cls, type) and issubclass(cls, Plugin)):
                    raise PluginError(f"{hook} must return classes derived from hybridrec.Plugin, got {cls!r}")
                if kind_of(cls) != kind:
                    raise PluginError(f"{hook} returned {cls.__name__}, which belongs into hybridrec_{kind_of(cls)}")
                refuse_slips(cls)
                yield cls


def kind_of(cls: type[Plugin]) -> str:
    """The kind whose base class this one derives from; raises PluginError if there is none."""
    from hybridrec.data.folds import Splitter
    from hybridrec.data.readers import Reader
    from hybridrec.evaluation.metrics import Metric
    from hybridrec.stages.component import Component
    from hybridrec.stages.normaliser import Normaliser

    bases: dict[str, type] = {
        "components": Component,
        "normalisers": Normaliser,
        "readers": Reader,
        "splitters": Splitter,
        "metrics": Metric,
    }
    for kind, base in bases.items():
        if issubclass(cls, base):
            return kind
    raise PluginError(f"{cls.__name__} is neither a component, a normaliser, a reader, a splitter nor a metric")
