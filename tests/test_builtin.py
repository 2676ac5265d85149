"""The plugin classes of the core: each is offered, once, through the hook of its kind."""

import importlib
import inspect
import pkgutil

import pytest

import hybridrec
from hybridrec import Exporter, Metric, Plugin, Reader, SetMetric, Splitter, builtin

HOOKS = {
    Reader: builtin.hybridrec_readers,
    Splitter: builtin.hybridrec_splitters,
    Metric: builtin.hybridrec_metrics,
    Exporter: builtin.hybridrec_exporters,
}


def concrete(base: type[Plugin]) -> set[type[Plugin]]:
    """All classes of the core below a base that have a name and can be made."""
    for module in pkgutil.walk_packages(hybridrec.__path__, "hybridrec."):
        if module.name.partition(".")[2] not in ("__main__",) and ".testing" not in module.name:
            importlib.import_module(module.name)
    below, todo = set(), [base]
    while todo:
        for cls in todo.pop().__subclasses__():
            todo.append(cls)
            below.add(cls)
    return {
        cls
        for cls in below
        if cls.__module__.startswith("hybridrec.")
        and ".testing" not in cls.__module__
        and "name" in vars(cls)
        and not inspect.isabstract(cls)
    }


@pytest.mark.parametrize("base", HOOKS, ids=lambda base: base.__name__)
def test_every_class_of_the_core_is_offered_once(base):
    offered = HOOKS[base]()
    assert len({cls.name for cls in offered}) == len(offered)
    others = SetMetric if base is Metric else base
    assert {*offered} == concrete(base) | concrete(others)
    assert all(issubclass(cls, (base, others)) for cls in offered)
