"""The fits of a plan, one by one: what waits for what, until the store has what decides it."""

import numpy as np
import pytest

import hybridrec
from hybridrec import MemoryBudgetError
from hybridrec.api import plan_fits
from hybridrec.engine.fit_plan import place_of
from tests.engine.test_shares import SHARED


@pytest.fixture
def chained(experiment):
    """The small experiment with a generator that uses another whose option is chosen, on folds, twice."""
    pytest.importorskip("implicit")
    return experiment(
        *SHARED[:1],
        (
            "  ease: {l2: 5}\n",
            "  als: {choose: {factors: [4, 8]}}\n  near: {use: approximate, uses: als}\n  ease: {}\n",
        ),
        ("scorers: [pop]", "scorers: [pop, near]"),
        ("workers: 2", "workers: 2\nrepeats: 2"),
    )


def by_place(path):
    return {entry.place: entry for entry in plan_fits(path).fits}


def test_what_is_decided_by_other_fits_has_no_key_and_names_them(chained):
    plan = by_place(chained)
    values = tuple(plan[f"fold-0/choice/als, value {number}"].key for number in (1, 2))
    assert all(values)
    for place in ("fold-0/full/als", "fold-0/full/near"):
        assert (plan[place].key, plan[place].waits_for) == ("", values)
    assert plan["fold-0/full/pop"].key
    assert plan["fold-0/full/pop, repeat 2"].waits_for == (plan["fold-0/full/pop"].key,)
    assert plan["fold-0/full/near"].used == "fold-0/full/als"


def test_what_is_stored_already_is_not_waited_for(chained):
    from hybridrec.engine.store import Store

    before = by_place(chained)
    values = [before[f"fold-0/choice/als, value {number}"].key for number in (1, 2)]
    hybridrec.run(chained)
    Store.default().drop(values[1])
    plan = by_place(chained)
    for place in ("fold-0/full/als", "fold-0/full/near"):
        assert plan[place].waits_for == (values[1],)


def test_places_are_told_apart():
    assert place_of("als", "fold-0", "full", 1, 0) == "fold-0/full/als"
    assert place_of("als", "fold-0", "choice", 2, 1) == "fold-0/choice/als, value 2, repeat 2"


def test_after_a_run_all_is_known_and_stored_and_is_what_the_run_fitted(chained):
    report = hybridrec.run(chained).report
    plan = plan_fits(chained).fits
    assert all(entry.stored and entry.key and not entry.waits_for for entry in plan)
    of_run = {fit.key for fit in report.fits}
    assert of_run == {entry.key for entry in plan if entry.level != "choice"}
    assert len(plan) == len({entry.key for entry in plan})
    drawn = {entry.label for entry in plan if entry.repeat == 2}
    assert "noise" in drawn
    assert "pop" not in drawn, "what draws nothing is fitted once"


def test_a_dependent_fit_waits_for_its_base_alone_once_the_choice_is_made(chained):
    from hybridrec.engine.store import Store

    hybridrec.run(chained)
    store = Store.default()
    before = by_place(chained)
    for place in ("fold-1/full/near", "fold-1/full/als"):
        store.drop(before[place].key)
    after = by_place(chained)
    assert after["fold-1/full/als"].waits_for == ()
    assert after["fold-1/full/near"].waits_for == (before["fold-1/full/als"].key,)
    assert after["fold-1/full/near"].key == before["fold-1/full/near"].key
    assert not after["fold-1/full/near"].stored


def test_costs_are_those_of_the_most_expensive_value(experiment):
    path = experiment(("noise: {use: echo}", "noise: {use: echo, choose: {bytes: [1000, 5000, 3000]}}"))
    memory = {entry.place: entry.memory for entry in plan_fits(path).fits if entry.label == "noise"}
    assert memory["test/full/noise"] == 5000
    assert [memory[f"test/choice/noise, value {number}"] for number in (1, 2, 3)] == [1000, 5000, 3000]
    with pytest.raises(MemoryBudgetError, match=r"components\.noise"):
        plan_fits(experiment(("noise: {use: echo}", "noise: {use: echo, bytes: 900000000000}")))


def test_nothing_is_listed_as_kept_that_the_store_never_has(experiment):
    from toyland import Echo

    class Local(Echo):
        name = "local"

    del Local.__module__
    Local.__module__ = "nowhere"
    fits = plan_fits(experiment(("use: echo", "use: local")), plugins=[Local]).fits
    assert {entry.label for entry in fits if not entry.kept} <= {"noise"}
    assert np.all([entry.kept for entry in fits if entry.label != "noise"])
