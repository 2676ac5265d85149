"""Calls into plugins: errors name their origin, and times are printed on demand."""

import sys
import time

import numpy as np
import pytest

from hybridrec import Plugin, PluginError
from hybridrec.tracing import (
    LISTENERS,
    at_plugin,
    at_work,
    calling,
    each,
    line_in,
    origin,
    plugin_frames,
    traced,
    tracing,
)


class Tool(Plugin):
    """A tool."""

    name = "tool"
    version = "4"


HERE = f"tool 4, module {Tool.__module__}, not of an installed plugin"


def test_the_origin_of_a_class_is_its_plugin_with_distribution_and_version(toyland):
    assert origin("toyland") == origin("toyland.below") == "plugin 'toyland' (toyland 1.5)"
    assert origin("hybridrec.data.splits") == "part of hybridrec"
    assert origin("hybridrec_linear.ease").startswith("plugin 'linear' (hybridrec 0.")
    assert origin("toylandish") == "module toylandish, not of an installed plugin"


@pytest.mark.parametrize("plugin", [Tool, Tool()])
def test_an_error_in_a_call_keeps_its_class_and_gets_a_note_of_the_place(plugin):
    with pytest.raises(ZeroDivisionError) as info, calling(plugin, "while fitting components.x"):
        _ = 1 / 0
    assert info.value.__notes__ == [f"while fitting components.x: {HERE}"]


def test_a_write_to_a_shared_array_is_an_error_of_the_plugin_with_its_line():
    shared = np.zeros(3)
    shared.flags.writeable = False
    told = r"tool writes to a shared array that it was given in test_tracing\.py:\d+ "
    with pytest.raises(PluginError, match=told) as info, calling(Tool, "while fitting components.x"):
        shared[0] = 1
    assert "let it write to a copy" in str(info.value)
    assert info.value.__notes__ == [f"while fitting components.x: {HERE}"]
    assert isinstance(info.value.__cause__, ValueError)
    with pytest.raises(ValueError, match="another"), calling(Tool, "while fitting components.x"):
        raise ValueError("another")


def test_each_step_of_an_iterator_is_a_call():
    def values():
        yield 1
        raise KeyError("second")

    steps = each(Tool(), "while splitting", values())
    assert next(steps) == 1
    with pytest.raises(KeyError) as info:
        next(steps)
    assert info.value.__notes__ == [f"while splitting: {HERE}"]
    assert list(each(Tool(), "while splitting", [1, 2])) == [1, 2]


def test_frames_of_the_engine_are_left_out():
    def fails():
        raise ZeroDivisionError

    step = each(Tool(), "anything", (fails() for _ in [1]))
    with pytest.raises(ZeroDivisionError) as info:
        next(step)
    frames = plugin_frames(info.value)
    assert [frame.name for frame in frames][-1] == "fails"
    assert [frame.name for frame in frames].count("each") == 0
    assert len(plugin_frames(info.value, "another_package")) == 0


@pytest.mark.parametrize(("value", "told"), [("1", True), ("yes", True), ("0", False), ("", False), (None, False)])
def test_a_step_is_printed_with_its_time_only_on_demand_and_also_when_it_fails(monkeypatch, capsys, value, told):
    monkeypatch.delenv("HYBRIDREC_TRACE", raising=False)
    if value is not None:
        monkeypatch.setenv("HYBRIDREC_TRACE", value)
    assert tracing() == told
    with pytest.raises(ZeroDivisionError), traced("a step"):
        _ = 1 / 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" ms  ")[2] for line in lines] == ["a step"] * told


def test_a_plugin_that_ends_the_process_is_an_error_of_the_plugin():
    ended = pytest.raises(PluginError, match=r"ends the process \(SystemExit\(0\)\)")
    with ended as raised, calling(Tool, "while fitting x"):
        sys.exit(0)
    assert raised.value.__notes__[0].startswith("while fitting x: ")


def test_calls_that_last_are_at_work_innermost_of_each_thread():
    with traced("outer"), traced("inner"):
        time.sleep(0.02)
        assert [action for action, seconds in at_work(0.01) if seconds > 0.01] == ["inner"]
        assert at_work(100) == []
    assert at_work(0) == []


def test_the_line_of_a_package_on_a_stack_is_the_innermost():
    frame = sys._getframe()
    assert line_in(__name__.partition(".")[0], frame) == f"test_tracing.py:{frame.f_lineno}"
    assert line_in("no_such_package", frame) == line_in("tests", None) == ""


def test_the_plugin_on_a_stack_is_named(toyland):
    frames = []
    exec(
        "def ask():\n    frames.append(sys._getframe())\n\nask()", {"__name__": "toyland", "frames": frames, "sys": sys}
    )
    assert at_plugin(frames[0]) == "plugin 'toyland' (toyland 1.5), at <string>:2"
    assert at_plugin(None) == ""


def test_listeners_are_told_of_the_call_that_begins_and_of_the_one_around_it():
    told = []
    LISTENERS.append(told.append)
    try:
        with traced("outer"), traced("inner"):
            pass
    finally:
        LISTENERS.remove(told.append)
    assert told == ["outer", "inner", "outer", ""]
