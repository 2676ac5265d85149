"""The hooks that plugins may implement: one for each kind that they offer, and the others."""

from __future__ import annotations

import re

import pytest

import hybridrec
from hybridrec.registry import hookspecs, kinds


def test_every_kind_has_a_hook_that_is_described_and_says_what_it_returns():
    hooks = vars(hookspecs.offer_hooks())
    assert hooks.keys() == {kind.hook for kind in kinds.KINDS}
    for kind in kinds.KINDS:
        offer = kind.base_name if kind.instances else f"type[{kind.base_name}]"
        hook = hooks[kind.hook]
        assert (hook.__name__, hook.__doc__) == (kind.hook, kind.summary)
        assert hook.__annotations__ == {"return": f"Sequence[{offer}]"}


@pytest.mark.parametrize("name", [name for name in vars(hookspecs) if name.startswith("hybridrec_")])
def test_no_other_hook_is_handed_scores_or_data(name):
    hook = getattr(hookspecs, name)
    assert hook.__doc__.startswith("Propose")
    allowed = {"str", "float", "bool", "int", "dict[str, Any]", "DataProfile"}
    assert {kind for argument, kind in hook.__annotations__.items() if argument != "return"} <= allowed


def test_plugins_mark_their_hooks_with_the_marker_that_the_engine_reads():
    assert hybridrec.hookimpl is hookspecs.hookimpl
    assert hookspecs.hookimpl.project_name == hookspecs.hookspec.project_name == hookspecs.PROJECT
    assert re.fullmatch(r"\d+\.\d+", hookspecs.API_VERSION)
