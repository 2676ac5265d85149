"""The trace shows the hook calls of plugins, with those who answer."""

from __future__ import annotations

import pluggy
import pytest

from hybridrec.registry.hook_tracers import hook_tracers

spec, impl = pluggy.HookspecMarker("farm"), pluggy.HookimplMarker("farm")


class Hooks:
    """The only hook."""

    @spec
    def farm_animals(self): ...


class Cow:
    """Answers it."""

    @impl
    def farm_animals(self):
        return ["cow"]


@pytest.mark.parametrize(("trace", "shown"), [("1", ["farm_animals to cow", "farm_animals to nobody"]), ("0", [])])
def test_the_trace_shows_each_hook_call_and_who_answers(monkeypatch, capsys, trace, shown):
    monkeypatch.setenv("HYBRIDREC_TRACE", trace)
    manager = pluggy.PluginManager("farm")
    manager.add_hookspecs(Hooks)
    manager.add_hookcall_monitoring(*hook_tracers())
    manager.register(Cow(), "cow")
    assert manager.hook.farm_animals() == [["cow"]]
    manager.unregister(name="cow")
    manager.hook.farm_animals()
    assert [line.partition(" ms  ")[2] for line in capsys.readouterr().err.splitlines()] == shown
