"""The dispatcher with real workers: batches, deadlines, components that misbehave, swaps, and what people did."""

import asyncio
import os
import shutil
import signal
import time

import pytest

import hybridrec
from hybridrec import DataError, Query
from hybridrec_server import dispatcher as module
from hybridrec_server.protocols import NotFound, Overloaded, RequestProblem
from hybridrec_server.schemas import Answer, ExplainedAnswer, RecommendRequest
from hybridrec_server.state.base import Busy, Event
from tests.plugins.hybridrec_server.conftest import MOODY

HISTORY = ["i01", "i04", "i07"]


@pytest.fixture(scope="module")
def recommenders(bundles):
    """The bundles, loaded in this process."""
    return {name: hybridrec.load(path, plugins=[MOODY]) for name, path in bundles.items()}


@pytest.fixture
def expected(recommenders):
    """The answers of `recommend` of a bundle in this process."""

    def ids(query, n=6, bundle="first", pipeline="hybrid"):
        recommender = recommenders[bundle]
        slate = recommender.recommend(query, n, pipeline=pipeline)
        return recommender.data.items.vocabulary.texts(slate.ids[0][slate.ids[0] >= 0])

    return ids


def test_an_answer_is_that_of_the_bundle_alone_or_in_a_batch(serving, expected):
    queries = [["i01"], ["i02", "i03"], [], ["i05", "i06", "i07"], ["i30"]] * 8
    right = {tuple(items): expected(Query(items=items)) for items in queries}

    async def test(served):
        together = await asyncio.gather(*(served.ids(items=items) for items in queries))
        assert together == [right[tuple(items)] for items in queries]
        assert await served.ids(items=["i01"]) == right["i01",]
        assert "hybridrec_batch_requests_bucket" in served.metrics.render().decode()

    serving(test, workers=2)


def test_requests_gather_while_the_worker_is_busy(serving):
    async def test(served):
        await asyncio.gather(*(served.ids(items=["i01"]) for _ in range(64)))
        text = served.metrics.render().decode()
        (count,) = [line.split()[1] for line in text.splitlines() if line.startswith("hybridrec_batch_requests_count")]
        assert float(count) <= 8

    serving(test)


def test_all_that_a_request_may_state_is_heard(serving, expected):
    async def test(served):
        answer = await served.answer(
            items=[*HISTORY, "nothing"], n=4, pinned=["i20", "i21", "i20"], blocked=["i02", "i21"]
        )
        Answer.model_validate(answer, strict=True)
        ids = [place["id"] for place in answer["items"]]
        assert ids[0] == "i20"
        assert not {"i02", "i21", *HISTORY} & set(ids)
        assert [place["place"] for place in answer["items"]] == [1, 2, 3, 4]
        assert ("unknown_id", "items[3]") in [(w["code"], w["path"]) for w in answer["warnings"]]
        assert ids[1:] == expected(Query(items=HISTORY, disliked=["i02", "i20", "i21"]), 3)
        assert await served.ids(user="u03") == expected(Query(user="u03"))
        unknown = await served.answer(user="nobody")
        assert [w["code"] for w in unknown["warnings"]] == ["unknown_user"]
        assert await served.ids(items=["i01"], pipeline="control") == expected(Query(items=["i01"]), pipeline="control")

    serving(test)


def test_answers_carry_the_segments_of_their_requests(serving):
    requests = [{"items": ["i01"]}, {}, {"user": "u03", "text": "North"}, {"items": ["i02"], "text": "raise"}]
    right = ["items", "nothing", "user+title", "items+title"]

    async def test(served):
        async def segments(**request):
            asked = RecommendRequest.model_validate({"id": "r", "time": 1e9, "pipeline": "hybrid"} | request)
            return (await served.dispatcher.recommend(asked)).segments

        together = await asyncio.gather(*(segments(**request) for request in requests * 4))
        assert together == [{"known-fields": name} for name in right * 4]

    serving(test)


def test_a_pipeline_that_draws_names_its_policy_and_the_probabilities(serving):
    async def test(served):
        drawn, certain = [await served.answer(items=HISTORY, pipeline=name) for name in ("drawn", "calm")]
        Answer.model_validate(drawn, strict=True)
        assert drawn["policy"] == "plackett-luce"
        assert all(0 < place["propensity"] <= 1 for place in drawn["items"])
        pinned = await served.answer(items=HISTORY, pipeline="drawn", pinned=["i20", "i21"])
        assert [place["id"] for place in pinned["items"][:2]] == ["i20", "i21"]
        assert len(pinned["items"]) > 2
        for name in ("propensity", "score"):
            assert [place["place"] for place in pinned["items"] if place[name] is None] == [1, 2]
        assert "policy" not in certain
        assert not any("propensity" in place for place in certain["items"])

    serving(test)


def test_pages_have_no_repeats_and_end(serving, expected):
    async def test(served):
        whole, cursor = [], None
        while True:
            answer = await served.answer(items=HISTORY, n=7, **({"cursor": cursor} if cursor else {}))
            whole += [place["id"] for place in answer["items"]]
            cursor = answer["next"]
            if cursor is None:
                break
        assert sorted(whole) == sorted(set(whole))
        assert set(whole) == {f"i{item:02}" for item in range(40)} - set(HISTORY)
        assert whole[:7] == expected(Query(items=HISTORY), 7)
        with pytest.raises(RequestProblem) as error:
            await served.answer(cursor="no cursor")
        assert error.value.path == "cursor"

    serving(test)


def test_filters_hold_for_all_that_is_recommended(serving):
    async def test(served):
        jazz = await served.ids(items=HISTORY, n=40, filters=[{"column": "genre", "is": "jazz"}])
        assert jazz
        assert all(int(name[1:]) % 2 for name in jazz)
        cheap = await served.ids(
            n=40, filters=[{"column": "price", "to": 1.0}, {"column": "live", "is": True, "not": True}]
        )
        assert set(cheap) == {f"i{item:02}" for item in range(11) if item % 5}
        with pytest.raises(RequestProblem, match="unknown attribute 'colour'") as error:
            await served.ids(filters=[{"column": "colour", "is": "red"}])
        assert error.value.path == "filters[0].column"

    serving(test)


def test_a_value_that_a_column_does_not_have_is_told(serving):
    async def test(served):
        filters = [{"column": "genre", "in": ["jazz", "jaz"]}, {"column": "price", "from": 1}]
        answer = await served.answer(items=HISTORY, context={"place": "hme"}, filters=filters)
        told = [(w["code"], w["path"], w["message"]) for w in answer["warnings"]]
        assert told == [
            ("unknown_value", "context.place", "'place' has no value 'hme'"),
            ("unknown_value", "filters[0].in", "'genre' has no value 'jaz'"),
        ]
        right = await served.answer(
            items=HISTORY, context={"place": ["home"]}, filters=[{"column": "genre", "is": "rock"}]
        )
        assert right["warnings"] == []
        genres = [f"g{number:04}" for number in range(5_000)]
        many = await served.answer(items=HISTORY, filters=[{"column": "genre", "in": genres}])
        assert many["warnings"][0]["message"].endswith("'g0018', 'g0019', ...")

    serving(test)


def test_what_a_request_may_not_ask_is_told(serving):
    async def test(served):
        for request, path in (
            ({"pipeline": "hybird"}, "pipeline"),
            ({"target": "songs"}, "target"),
            ({"context": {"device": "tv"}}, "context"),
            ({"user_features": {"age": 3}}, "user_features"),
            ({"entities": {"artists": ["a"]}}, "entities"),
        ):
            alone, _ = await asyncio.gather(served_problem(served, request), served.ids(items=["i01"]))
            assert alone == path, request

    serving(test)


@pytest.mark.parametrize("wrong", [{"filters": [{"column": "colour", "is": "red"}]}, {"context": {"device": "tv"}}])
def test_a_mistake_costs_no_other_request_of_its_batch(serving, expected, wrong):
    async def test(served):
        requests = [{"items": ["i01"]}, wrong, {"items": ["i02"]}, wrong, {"items": ["i03"]}]
        for order in (requests, requests[1:], requests[::-1]):
            busy = asyncio.create_task(served.ids(items=["i09"]))  # so that the others gather
            await asyncio.sleep(0)
            outcomes = await asyncio.gather(*(served.answer(**each) for each in order), return_exceptions=True)
            await busy
            for request, outcome in zip(order, outcomes, strict=True):
                if request is wrong:
                    assert isinstance(outcome, RequestProblem)
                    continue
                assert not isinstance(outcome, Exception), outcome
                assert not outcome["degraded"]
                assert [place["id"] for place in outcome["items"]] == expected(Query(items=request["items"]))

    serving(test)


async def served_problem(served, request):
    with pytest.raises(RequestProblem) as error:
        await served.answer(**request)
    return error.value.path


def test_other_questions(serving):
    async def test(served):
        about = await served.ask("pipelines")
        assert (about["default"], about["targets"]) == ("control", {"items": 6})
        assert [each["name"] for each in about["pipelines"]] == ["control", "hybrid", "calm", "drawn"]
        assert {column["name"]: column["type"] for column in about["filters"]["items"]}["price"] == "number"
        item = await served.ask("item", id="i05", kind="items")
        assert (item["title"], item["features"]["live"], item["entities"]["tags"]) == (
            "Song 5 of the North",
            True,
            ["jazz"],
        )
        with pytest.raises(NotFound):
            await served.ask("item", id="i99", kind="items")
        hits = (await served.ask("search", q="song 3", kind="items", n=5))["hits"]
        assert hits[0]["id"] == "i03"
        near = (await served.ask("similar", component="ease", id="i01", text=None, by="items", target="items", n=3))[
            "neighbours"
        ]
        assert len(near) == 3
        none = await served.ask("similar", component="ease", id=None, text="jazz", by="items", target="items", n=3)
        assert (none["neighbours"], [w["code"] for w in none["warnings"]]) == ([], ["short"])
        explained = await served.ask("explain", items=HISTORY, n=3, pipeline="calm")
        ExplainedAnswer.model_validate(explained)
        candidates = explained["candidates"]
        assert candidates["weights"] == {"ease": 1.0, "pop": 1.0}
        sums = [sum(values) for values in zip(*candidates["columns"].values(), strict=True)]
        assert sums == sorted(sums, reverse=True)
        assert candidates["ids"][:3] == [place["id"] for place in explained["items"]]
        assert explained["items"][0]["sources"]
        total = sum(summand["value"] for summand in explained["items"][0]["contributions"])
        assert total == pytest.approx(explained["items"][0]["score"], abs=1e-5)

    serving(test)


@pytest.mark.parametrize("mood", ["sleep", "hold"])
def test_a_component_that_does_not_come_back_is_left_out_for_a_time(serving, mood, monkeypatch):
    monkeypatch.setattr(module, "LEFT_OUT", (60.0, 600.0))

    async def test(served):
        started = time.monotonic()
        late = await served.answer(items=HISTORY, text=f"please {mood}")
        assert time.monotonic() - started < 2.5  # three deadlines are 3 seconds
        assert (late["degraded"], late["served_by"], len(late["items"])) == (True, "precomputed", 6)
        assert not set(HISTORY) & {place["id"] for place in late["items"]}
        await until(lambda: served.dispatcher.status().left_out)
        assert list(served.dispatcher.status().left_out) == ["moody"]
        await until(lambda: served.dispatcher.status().workers[0].state == "ready")
        without = await served.answer(items=HISTORY, text=mood)  # nobody asks the component now
        assert without["degraded"] is False
        assert [w["code"] for w in without["warnings"]] == ["left_out"]
        for pause in served.dispatcher._left_out._pauses.values():
            pause.until = time.monotonic()
        assert (await served.answer(items=HISTORY))["warnings"] == []
        assert 'component_faults_total{component="moody",reason="hung"} 1.0' in served.metrics.render().decode()

    serving(test, deadline=1.0)


async def until(condition, seconds=15.0):
    """Wait until a condition holds."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it never came to that"
        await asyncio.sleep(0.02)


def test_a_component_that_ends_the_process_is_left_out_and_the_request_answered(serving):
    async def test(served):
        others = [served.answer(items=HISTORY) for _ in range(5)]
        answer, *rest = await asyncio.gather(served.answer(items=HISTORY, text="exit"), *others)
        assert [each["degraded"] for each in rest] == [False] * 5
        assert answer["degraded"] is False
        assert "left_out" in [w["code"] for w in answer["warnings"]]

    serving(test, deadline=20.0)


def test_a_component_that_raises_costs_its_opinion_for_this_request_alone(serving, expected):
    async def test(served):
        asked = [served.answer(items=HISTORY, text=text) for text in ("raise", "", "rule raise", "rule nan", "")]
        raised, well, rule, nan, _ = await asyncio.gather(*asked)
        assert [w["message"].split("'")[1] for w in raised["warnings"]] == ["moody"]
        for broken in (rule, nan):
            assert [w["message"].split("'")[1] for w in broken["warnings"]] == ["re-ranker moody-rule"]
            assert [p["id"] for p in broken["items"]] == expected(Query(items=HISTORY))
        assert well["warnings"] == []
        assert [p["id"] for p in well["items"]] == expected(Query(items=HISTORY))
        assert not any(each["degraded"] for each in (raised, well, rule, nan))

    serving(test)


@pytest.mark.parametrize("persons", [False, True])
def test_the_log_says_once_a_minute_where_a_component_failed(serving, caplog, persons):
    async def test(served):
        for _ in range(3):
            await served.answer(items=HISTORY, text="raise")

    serving(test, log_persons=persons)
    (line,) = [record.getMessage() for record in caplog.records if "moody" in record.getMessage()]
    assert "'moody' failed and has no opinion: ZeroDivisionError in moody.py:" in line
    assert ("in a bad mood" in line) == persons  # the text of an error may hold what a person sent


def test_a_killed_worker_is_replaced_and_blames_nobody(serving, expected):
    async def test(served):
        for _ in range(2):
            asked = [asyncio.ensure_future(served.ids(items=HISTORY)) for _ in range(20)]
            await asyncio.sleep(0)
            os.kill(served.dispatcher._workers[0].process, signal.SIGKILL)
            for ids in await asyncio.gather(*asked):
                assert ids == expected(Query(items=HISTORY))
        assert served.dispatcher.status().left_out == {}

    serving(test, workers=2, deadline=20.0)


def fail_once(monkeypatch, owner, name):
    """Make the next call of a method raise."""
    method = getattr(owner, name)

    def failing(*arguments, **options):
        monkeypatch.setattr(owner, name, method)
        raise RuntimeError("a mistake")

    monkeypatch.setattr(owner, name, failing)


@pytest.mark.parametrize("broken", ["_answer", "_oldest", "start"])
def test_a_mistake_costs_a_batch_and_no_worker(serving, expected, monkeypatch, broken):
    """The requests of the batch are answered at once, and the next one by a worker."""

    async def test(served):
        await served.ids(items=HISTORY)
        fail_once(monkeypatch, served.dispatcher, "_oldest" if broken == "_oldest" else "_answer")
        if broken == "start":
            fail_once(monkeypatch, module.Worker, "start")
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*(served.answer(items=HISTORY) for _ in range(3)))
            assert sum(answer["degraded"] for answer in answers) == (broken != "_oldest")
            assert await served.ids(items=HISTORY) == expected(Query(items=HISTORY))

    serving(test, deadline=20.0, batch=1)


def test_a_request_ends_with_an_error_where_its_precomputed_list_fails(serving, monkeypatch):
    async def test(served):
        for _ in range(2):
            fail_once(monkeypatch, served.dispatcher, "_question")
            fail_once(monkeypatch, served.dispatcher, "_spare")
            async with asyncio.timeout(10):
                with pytest.raises(RuntimeError, match="a mistake"):
                    await served.answer(items=HISTORY)
        assert (await served.answer(items=HISTORY))["degraded"] is False

    serving(test, deadline=20.0)


def test_beyond_the_queue_requests_are_turned_away(serving):
    async def test(served):
        asked = [served.answer(items=HISTORY) for _ in range(30)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, Overloaded) for each in outcomes) == 20
        assert (await served.answer(items=HISTORY))["degraded"] is False

    serving(test, queue=10, batch=2)


def test_a_swap_concerns_all_workers_or_none(serving, bundles, recommenders, expected, tmp_path):
    damaged = tmp_path / "damaged"
    content = bytearray(bundles["second"].read_bytes())
    content[-100] ^= 1
    damaged.write_bytes(content)
    first, second = (recommenders[name].digest for name in ("first", "second"))

    async def test(served):
        refused = await served.dispatcher.reload(damaged, dry_run=False)
        assert (refused.swapped, refused.bundle) == (False, first)
        assert "damaged" in refused.checks[-1].message
        assert str(damaged) in refused.checks[-1].message
        assert not (await served.dispatcher.reload(tmp_path / "missing", dry_run=False)).swapped
        dry = await served.dispatcher.reload(bundles["second"], dry_run=True)
        assert (dry.swapped, all(check.passed for check in dry.checks)) == (False, True)
        assert await served.ids(items=HISTORY) == expected(Query(items=HISTORY))
        swap = asyncio.ensure_future(served.dispatcher.reload(bundles["second"], dry_run=False))
        while not swap.done():
            answer = await served.answer(items=HISTORY)
            bundle = {first: "first", second: "second"}[answer["bundle"]]
            assert [p["id"] for p in answer["items"]] == expected(Query(items=HISTORY), bundle=bundle)
        assert (swap.result().swapped, swap.result().bundle, swap.result().before) == (True, second, first)
        assert {worker.bundle for worker in served.dispatcher.status().workers} == {second}
        assert await served.ids(items=HISTORY) == expected(Query(items=HISTORY), bundle="second")
        back = await served.dispatcher.rollback()
        assert (back.swapped, back.bundle) == (True, first)
        assert await served.ids(items=HISTORY) == expected(Query(items=HISTORY))

    serving(test, workers=2)


def test_the_same_bundle_once_more_leaves_the_one_to_roll_back_to(serving, bundles, recommenders):
    first, second = (recommenders[name].digest for name in ("first", "second"))

    async def test(served):
        async def reload(name):
            return (await served.dispatcher.reload(bundles.get(name), dry_run=False)).bundle

        assert [await reload(name) for name in ("second", "second")] == [second, second]
        assert (await served.dispatcher.rollback()).bundle == first
        assert await reload("second") == second
        assert await reload("that of the start") == first
        assert (await served.dispatcher.rollback()).bundle == second

    serving(test)


def test_a_replaced_worker_maps_the_file_that_the_others_map(serving, bundles, expected, tmp_path):
    """A path that leads to another file by then does not matter until somebody asks for a swap."""
    path = tmp_path / "served"
    shutil.copyfile(bundles["first"], path)

    async def test(served):
        shutil.copyfile(bundles["second"], tmp_path / "next")
        (tmp_path / "next").replace(path)
        lost = served.dispatcher._workers[0]
        os.kill(lost.process, signal.SIGKILL)
        await until(lambda: served.dispatcher._workers[0] is not lost and served.dispatcher.status().ready)
        assert await served.ids(items=HISTORY) == expected(Query(items=HISTORY))
        assert (await served.dispatcher.reload(None, dry_run=False)).swapped
        assert await served.ids(items=HISTORY) == expected(Query(items=HISTORY), bundle="second")
        assert (await served.dispatcher.rollback()).swapped
        assert await served.ids(items=HISTORY) == expected(Query(items=HISTORY))

    serving(test, bundle=path)


def test_a_bundle_that_cannot_be_loaded_is_told_at_the_start(serving, tmp_path):
    (tmp_path / "broken").write_text("no bundle\n")
    for path, told in ((tmp_path / "broken", "manifest"), (tmp_path, "refit: all")):
        with pytest.raises(DataError, match=told):
            serving(lambda served: None, bundle=path)


class Store:
    """Events by user; reading them may fail."""

    def __init__(self, *events, error=None):
        self.events = [
            Event(str(place), user, item, kind, float(place), float(place))
            for place, (user, item, kind) in enumerate(events)
        ]
        self.error = error
        self.reads = []

    async def read(self, units):
        self.reads.append(list(units))
        if self.error is not None:
            raise self.error
        return {unit: [event for event in self.events if event.unit == unit] for unit in units}


def test_what_a_person_did_counts_in_the_next_request(serving, expected):
    store = Store(
        ("new", "i01", "play"),
        ("new", "i30", "dislike"),
        ("new", "i31", "skip"),
        ("new", "i04", "like"),
        ("new", "i07", "play"),
        ("new", "i32", "like"),
        ("new", "i32", "dislike"),
        ("u03", "i09", "buy"),
        ("new", "i33", "seen"),
    )

    async def test(served):
        own = await served.ids(user="new", n=40)
        assert own == expected(Query(items=HISTORY, disliked=["i30", "i31", "i32"]), 40)
        assert "i33" in own
        assert await served.ids(user="u03", n=40) == expected(Query(user="u03", recent=["i09"]), 40)
        stated = await served.ids(user="u03", items=["i01", "i09"])
        assert stated == expected(Query(user="u03", items=["i01", "i09"]))
        store.reads.clear()
        await asyncio.gather(*(served.ids(user=user) for user in ("a", "b", "c")))
        assert len(store.reads) <= 2

    serving(test, state=store)


def test_a_state_store_that_is_busy_costs_the_events_and_not_the_answer(serving, expected):
    async def test(served):
        answer = await served.answer(user="u03")
        assert [w["code"] for w in answer["warnings"]] == ["state"]
        assert [p["id"] for p in answer["items"]] == expected(Query(user="u03"))

    serving(test, state=Store(error=Busy("locked")))


def test_a_dispatcher_that_drains_finishes_what_it_accepted(serving):
    async def test(served):
        asked = [asyncio.ensure_future(served.answer(items=HISTORY)) for _ in range(20)]
        await asyncio.sleep(0)
        await served.dispatcher.stop(5.0)
        assert not any(answer["degraded"] for answer in await asyncio.gather(*asked))
        with pytest.raises(Overloaded):
            await served.answer(items=HISTORY)

    serving(test)


def test_a_window_opens_only_after_a_batch_of_several(serving):
    async def batches(served):
        text = served.metrics.render().decode()
        return next(float(line.split()[1]) for line in text.splitlines() if "batch_requests_count" in line)

    async def test(served):
        await asyncio.gather(*(served.ids(items=["i01"]) for _ in range(8)))
        before = await batches(served)
        asked = [asyncio.ensure_future(served.ids(items=["i01"]))]
        await asyncio.sleep(0)
        asked.append(asyncio.ensure_future(served.ids(items=["i02"])))
        await asyncio.gather(*asked)
        assert await batches(served) == before + 1

    serving(test, window=2.0)


def test_what_a_precomputed_list_may_not_show(serving):
    async def test(served):
        asked = {"items": HISTORY, "text": "sleep", "pinned": ["i20"], "blocked": ["i05"], "n": 8}
        jazz = [{"column": "genre", "is": "jazz"}, {"column": "price", "to": 3.0}]
        late, filtered = await asyncio.gather(served.answer(**asked), served.answer(**asked, filters=jazz))
        ids = [place["id"] for place in late["items"]]
        assert (late["degraded"], len(ids), ids[0]) == (True, 8, "i20")
        assert len(set(ids)) == 8
        assert not {"i05", *HISTORY} & set(ids)
        pinned, *others = [place["id"] for place in filtered["items"]]
        assert (filtered["degraded"], pinned, len(others)) == (True, "i20", 7)
        assert set(others) < {f"i{item:02}" for item in range(1, 31, 2)} - {"i05", *HISTORY}
        with pytest.raises(RequestProblem, match="unknown attribute 'prize'"):
            await served.answer(**asked, filters=[{"column": "prize", "to": 3.0}])

    serving(test, deadline=0.5)
