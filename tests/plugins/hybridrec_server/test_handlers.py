"""The handlers: each endpoint with fake parts behind it."""

from __future__ import annotations

import time

import orjson
import pytest

from hybridrec_server.journal.base import JournalFull
from hybridrec_server.protocols import Overloaded, RequestProblem
from hybridrec_server.schemas import Answer, ExplainedAnswer, Hits, ItemDetails, Neighbours, Pipelines, Ready, Reloaded
from hybridrec_server.security import Keyring, made
from hybridrec_server.settings import KEYS_VARIABLE
from hybridrec_server.state.base import Busy
from tests.plugins.hybridrec_server.fakes import OTHERS, FakeServer

EVENT = {"id": "e1", "user": 7, "item": "a", "kind": "like"}


def paths(response) -> list[str]:
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return [mistake["path"] for mistake in response.json()["errors"]]


def test_one_request_is_answered_by_the_bytes_of_the_dispatcher():
    server = FakeServer()
    response = server.ask("POST", "/v1/recommend", {"user": 7, "items": ["x"], "n": 2, "context": {"hour": 3}})
    answer = Answer.model_validate_json(response.content)
    (request,) = server.dispatcher.asked
    assert [place.id for place in answer.items] == ["a", "b"]
    assert answer.request == request.id
    assert len(request.id) == 32
    assert (request.user, request.items, request.n, request.context) == ("7", ["x"], 2, {"hour": 3})
    assert abs(request.time - time.time()) < 60


def test_a_name_and_a_time_of_the_client_are_kept():
    server = FakeServer()
    server.ask("POST", "/v1/recommend", {"id": "r1", "time": 5})
    assert (server.dispatcher.asked[0].id, server.dispatcher.asked[0].time) == ("r1", 5)


def test_several_requests_are_answered_in_their_order():
    server = FakeServer()
    response = server.ask(
        "POST", "/v1/recommend", {"queries": [{"id": f"r{number}", "n": number} for number in (3, 1, 2)]}
    )
    answers = response.json()["answers"]
    assert [(answer["request"], len(answer["items"])) for answer in answers] == [("r3", 3), ("r1", 1), ("r2", 2)]
    assert [record.answer for record in server.events.answers] == [orjson.dumps(answer) for answer in answers]


def test_several_requests_wait_together():
    server = FakeServer()
    server.dispatcher.delay = 0.2
    started = time.perf_counter()
    assert server.ask("POST", "/v1/recommend", {"queries": [{}] * 20}).status_code == 200
    assert time.perf_counter() - started < 2


def test_a_mistake_in_one_of_several_has_its_place():
    server = FakeServer()
    assert paths(server.ask("POST", "/v1/recommend", {"queries": [{}, {"n": 0}]})) == ["queries[1].n"]
    assert paths(server.ask("POST", "/v1/recommend", {"queries": [{}, {"pipeline": "nix"}]})) == ["queries[1].pipeline"]
    assert paths(server.ask("POST", "/v1/recommend", {"queries": [{"id": "a"}, {}, {"id": "a"}]})) == ["queries[2].id"]
    assert paths(server.ask("POST", "/v1/recommend", {"queries": [{}], "n": 3})) == ["n"]
    assert server.events.answers == []
    server.dispatcher.error = RequestProblem("", "all of it")
    assert paths(server.ask("POST", "/v1/recommend", {"queries": [{}]})) == ["queries[0]"]


def test_an_unknown_pipeline_is_a_mistake_with_the_known_ones():
    response = FakeServer().ask("POST", "/v1/recommend", {"pipeline": "nix"})
    assert paths(response) == ["pipeline"]
    assert "available are hybrid" in response.json()["errors"][0]["message"]


def test_answers_are_journalled_with_their_person():
    server = FakeServer()
    body = server.ask("POST", "/v1/recommend", {"user": "u", "time": 0, "items": ["x"]}).content
    (record,) = server.events.answers
    assert (record.answer, record.unit, record.time) == (body, "u", 0)
    assert record.segments == {"known-fields": "items"}
    assert abs(record.received - time.time()) < 60
    server.ask("POST", "/v1/explain", {"user": "u"})
    assert len(server.events.answers) == 1, "nobody was shown what a page of reasons lists"


@pytest.mark.parametrize("error", [Overloaded("the queue is full", 3), JournalFull()])
def test_a_server_with_too_much_to_do_says_when_to_come_again(error):
    server = FakeServer()
    if isinstance(error, JournalFull):
        server.events.error = error
    else:
        server.dispatcher.error = error
    response = server.ask("POST", "/v1/recommend", {})
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) == (10 if isinstance(error, JournalFull) else 3)


@pytest.mark.parametrize(
    ("method", "path", "body", "question", "model"),
    [
        (
            "POST",
            "/v1/similar",
            {"component": "als", "id": 5},
            ("similar", {"id": "5", "n": 10, "by": "items"}),
            Neighbours,
        ),
        ("GET", "/v1/search?q=dark%20st&n=3", None, ("search", {"q": "dark st", "n": 3, "kind": "items"}), Hits),
        ("GET", "/v1/items/a%2Fb?kind=tags", None, ("item", {"id": "a/b", "kind": "tags"}), ItemDetails),
        ("GET", "/v1/pipelines", None, ("pipelines", {}), Pipelines),
    ],
)
def test_other_questions_are_passed_on(method, path, body, question, model):
    server = FakeServer()
    response = server.ask(method, path, body)
    assert response.status_code == 200, response.text
    model.model_validate_json(response.content)
    ((name, arguments),) = server.dispatcher.questions
    assert name == question[0]
    assert question[1].items() <= arguments.items()


def test_reasons_come_with_candidates():
    server = FakeServer()
    filters = [{"column": "year", "from": 1970}]
    response = server.ask("POST", "/v1/explain", {"items": ["x"], "filters": filters})
    assert ExplainedAnswer.model_validate_json(response.content).candidates.ids == ["a"]
    ((_, arguments),) = server.dispatcher.questions
    assert arguments.keys() == {"id", "time", "items", "filters"}
    assert arguments["filters"] == filters


def test_an_entity_that_is_not_there_is_a_404():
    response = FakeServer().ask("GET", "/v1/items/nix")
    assert response.status_code == 404
    assert "no entity of the kind 'items'" in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/v1/search", ["q"]),
        ("/v1/search?q=", ["q"]),
        ("/v1/search?q=a&n=0", ["n"]),
        ("/v1/search?q=a&n=x", ["n"]),
        ("/v1/search?q=a&q=b", ["q"]),
        ("/v1/search?q=a&m=1", ["m"]),
        ("/v1/search?q=%ff", [""]),
        ("/v1/search?q=%00", ["q"]),
        ("/v1/search?" + "&".join(f"a{n}=1" for n in range(30)), [""]),
        ("/v1/items/a?kinds=tags", ["kinds"]),
    ],
)
def test_parameters_are_checked_as_bodies_are(path, wrong):
    assert paths(FakeServer().ask("GET", path)) == wrong


def test_events_are_answered_after_they_are_written_and_count_once():
    server = FakeServer()
    body = {"events": [EVENT, {**EVENT, "id": None, "time": 5, "value": 2, "request": "r"}]}
    assert server.ask("POST", "/v1/events", body).json() == {"accepted": 2, "repeated": 0}
    first, second = server.events.events.values()
    assert (first.id, first.unit, first.item, first.kind, first.time) == ("e1", "7", "a", "like", first.received)
    assert (len(second.id), second.time, second.value, second.request) == (32, 5, 2, "r")
    assert server.ask("POST", "/v1/events", {"events": [EVENT]}).json() == {"accepted": 0, "repeated": 1}


def test_events_of_an_unknown_kind_or_of_the_future_are_mistakes():
    server = FakeServer()
    body = {"events": [EVENT, {**EVENT, "kind": "lick"}, {**EVENT, "time": time.time() * 1000}]}
    response = server.ask("POST", "/v1/events", body)
    assert paths(response) == ["events[1].kind", "events[2].time"]
    assert "like" in response.json()["errors"][0]["message"]
    assert server.events.events == {}
    assert (
        FakeServer(events={"lick": "positive"})
        .ask("POST", "/v1/events", {"events": [{**EVENT, "kind": "lick"}]})
        .is_success
    )


def test_a_busy_database_is_a_503_and_no_database_a_404():
    server = FakeServer()
    server.events.error = Busy("the database is locked", 2)
    response = server.ask("POST", "/v1/events", {"events": [EVENT]})
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert server.events.events == {}
    assert FakeServer(events_kept=False).ask("POST", "/v1/events", {"events": [EVENT]}).status_code == 404


def test_an_event_that_cannot_be_stored_is_a_mistake():
    server = FakeServer()
    server.events.error = ValueError("the ids of a person and an event have at most 2,000 bytes")
    response = server.ask("POST", "/v1/events", {"events": [EVENT]})
    assert paths(response) == ["events"]
    assert "2,000 bytes" in response.text


def test_health_says_who_serves_and_turns_when_the_server_drains():
    server = FakeServer()
    assert server.ask("GET", "/health/live").json() == {"live": True}
    assert Ready.model_validate_json(server.ask("GET", "/health/ready").content).workers[0].bundle
    server.handlers.draining = True
    response = server.ask("GET", "/health/ready")
    assert (response.status_code, response.json()["ready"]) == (503, False)
    assert server.ask("GET", "/health/live").status_code == 200


def test_bundles_are_exchanged_or_refused_with_reasons():
    server = FakeServer()
    response = server.ask("POST", "/admin/reload", {"bundle": "next.hybridrec"})
    assert (response.status_code, Reloaded.model_validate_json(response.content).swapped) == (200, True)
    response = server.ask("POST", "/admin/reload", {"bundle": "bad.hybridrec"})
    assert (response.status_code, response.json()["checks"][0]["message"]) == (409, "arrays differ")
    response = server.ask("POST", "/admin/reload", {"dry_run": True})
    assert (response.status_code, response.json()["swapped"]) == (200, False)
    assert server.ask("POST", "/admin/rollback", {}).json()["swapped"]
    assert server.dispatcher.steps == ["reload next.hybridrec False", "reload bad.hybridrec False", "reload None True"]
    assert [line["swapped"] for line in server.lines() if line["event"] == "reload"] == [True, False, False, True]


def test_a_body_of_several_counts_for_each_at_the_rate_of_the_key():
    key, line = made("web", "read", 5)
    server = FakeServer({KEYS_VARIABLE: line})
    headers = {"x-api-key": key}
    assert server.ask("POST", "/v1/recommend", {"queries": [{}] * 4}, headers).status_code == 200
    response = server.ask("POST", "/v1/recommend", {"queries": [{}] * 4}, headers)
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")


def test_each_hundred_events_of_a_body_count_as_a_request(monkeypatch):
    further = []
    monkeypatch.setattr(Keyring, "spend", lambda self, key, requests: further.append(requests))
    for number in (1, 100, 101, 200, 201):
        assert FakeServer().ask("POST", "/v1/events", {"events": [EVENT] * number}).is_success
    assert further == [0, 0, 1, 1, 2]


def test_the_fake_answers_follow_the_models():
    """Else these tests would pass over what the server sends."""
    for name, model in [("explain", ExplainedAnswer), ("pipelines", Pipelines)]:
        assert model.model_validate(OTHERS[name]).model_dump(exclude_unset=True) == OTHERS[name]
