"""The typed client, sync and async, against the application."""

from __future__ import annotations

import asyncio
import inspect
import re
from types import SimpleNamespace

import httpx
import pytest
from pydantic import ValidationError

from hybridrec import HybridrecError
from hybridrec_server.client import AsyncClient, Client, ServerError
from hybridrec_server.endpoints import ENDPOINTS
from hybridrec_server.protocols import Overloaded
from hybridrec_server.schemas import EventBody, FilterRule, RecommendRequest
from hybridrec_server.security import made
from hybridrec_server.settings import KEYS_VARIABLE
from tests.plugins.hybridrec_server.fakes import FakeServer


class InThisThread(httpx.BaseTransport):
    """A transport that asks an application in memory."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server

    def handle_request(self, request):
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        body = request.read() or None
        response = self._server.ask(request.method, request.url.raw_path.decode(), body, headers)
        return httpx.Response(response.status_code, headers=response.headers, content=response.content)


def client(server: FakeServer, key: str | None = None) -> Client:
    return Client("http://127.0.0.1:8080", key, transport=InThisThread(server))


def calls(asked):
    """Every method, with arguments; each value is a model, or a coroutine that gives one."""
    return {
        "recommend": asked.recommend({"items": ["x"], "n": 2}),
        "recommend_many": asked.recommend_many([{}, RecommendRequest(n=1)]),
        "explain": asked.explain({"filters": [FilterRule.model_validate({"column": "year", "is": 1970})]}),
        "similar": asked.similar({"component": "als", "id": "a"}),
        "search": asked.search("dark", n=3),
        "item": asked.item("a/b"),
        "pipelines": asked.pipelines(),
        "events": asked.events([EventBody(id="e", user="u", item="i", kind="like")]),
        "ready": asked.ready(),
        "reload": asked.reload("bad.hybridrec"),
        "rollback": asked.rollback(),
    }


def test_every_endpoint_has_a_method():
    names = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"}
    assert names == {endpoint.name for endpoint in ENDPOINTS} - {"live", "metrics"} | {"recommend_many", "close"}
    for name in names:
        theirs = inspect.signature(getattr(AsyncClient, name))
        assert inspect.signature(getattr(Client, name)) == theirs


def test_every_body_is_of_the_model_of_its_endpoint(monkeypatch):
    sent = []
    monkeypatch.setattr(Client, "_send", lambda self, call: sent.append(call) or SimpleNamespace(answers=[]))
    with client(FakeServer()) as asked:
        calls(asked)
    endpoints = {(endpoint.method, re.sub("{.*}", "a%2Fb", endpoint.path)): endpoint for endpoint in ENDPOINTS}
    for call in sent:
        models = endpoints[call.method, call.path].request
        assert type(call.body) in (models or (type(None),)), call.path


def test_both_clients_give_the_same_models():
    server = FakeServer()

    async def gathered():
        transport = httpx.ASGITransport(FakeServer().app)
        async with AsyncClient("http://127.0.0.1:8080", transport=transport) as asked:
            return {name: await answer for name, answer in calls(asked).items()}

    with client(server) as asked:
        answers = calls(asked)
    others = asyncio.run(gathered())
    assert answers.keys() == others.keys()
    for name in answers.keys() - {"recommend", "recommend_many"}:
        assert answers[name] == others[name], name
    assert [place.id for place in answers["recommend"].items] == ["a", "b"]
    assert [len(answer.items) for answer in others["recommend_many"]] == [3, 1]
    assert not answers["reload"].swapped
    assert answers["reload"].checks[0].message == "arrays differ"
    assert server.dispatcher.questions[0][1]["filters"] == [{"column": "year", "is": 1970}]


def test_problems_are_errors_with_their_mistakes():
    server = FakeServer()
    with client(server) as asked, pytest.raises(ServerError) as caught:
        asked.recommend({"pipeline": "nix"})
    assert (caught.value.status, caught.value.retry_after) == (422, None)
    assert caught.value.problem.errors[0].path == "pipeline"
    assert "\n  pipeline: no pipeline is named 'nix'" in str(caught.value)
    server.dispatcher.error = Overloaded("full", 4)
    with client(server) as asked, pytest.raises(ServerError, match="503 The server has too much to do: full") as caught:
        asked.recommend({})
    assert caught.value.retry_after == 4


def test_any_id_may_stand_in_an_address():
    server = FakeServer()
    for name in ("50% a?b#c", "ü/ö", "a+b&c=d"):
        with client(server) as asked, pytest.raises(ServerError, match="404"):
            asked.item(name)
        assert server.dispatcher.questions[-1] == ("item", {"id": name, "kind": "items"})


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_id_that_an_address_loses_is_refused_before_it_is_sent(name):
    server = FakeServer()
    with client(server) as asked, pytest.raises(HybridrecError, match=f"the id '{name}' cannot stand in an address"):
        asked.item(name)
    assert server.metrics.counted == []


def test_a_request_is_checked_before_it_is_sent():
    server = FakeServer()
    with client(server) as asked, pytest.raises(ValidationError):
        asked.recommend({"n": 0})
    assert server.metrics.counted == []


def test_a_key_is_sent():
    key, line = made("web", "read")
    server = FakeServer({KEYS_VARIABLE: line})
    with client(server, key) as asked:
        assert asked.recommend({}).items
    with client(server) as asked, pytest.raises(ServerError, match="401"):
        asked.recommend({})


def test_a_response_of_something_in_between_is_told():
    transport = httpx.MockTransport(lambda request: httpx.Response(502, text="<h1>Bad Gateway</h1>"))
    with (
        Client("http://a.example", transport=transport) as asked,
        pytest.raises(ServerError, match="502 Bad Gateway") as e,
    ):
        asked.ready()
    assert e.value.problem is None


@pytest.mark.parametrize(
    ("status", "text", "message"),
    [
        (200, "<h1>Welcome</h1>", "GET /health/ready: 200 OK; the answer is not one of a hybridrec server"),
        (200, "{}", "GET /health/ready: 200 OK; the answer is not one of a hybridrec server"),
        (503, "<h1>Service Unavailable</h1>", "GET /health/ready: 503 Service Unavailable$"),
    ],
)
def test_an_answer_of_something_in_between_is_told_where_the_status_is_that_of_an_answer(status, text, message):
    transport = httpx.MockTransport(lambda request: httpx.Response(status, text=text))
    with Client("http://a.example", transport=transport) as asked, pytest.raises(ServerError, match=message) as e:
        asked.ready()
    assert (e.value.status, e.value.problem) == (status, None)
