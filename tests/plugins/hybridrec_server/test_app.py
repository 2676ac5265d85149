"""The application: admission, headers, problems, log lines."""

from __future__ import annotations

import asyncio
import json

import pytest

from hybridrec_server import app
from hybridrec_server.endpoints import ENDPOINTS
from hybridrec_server.security import made
from hybridrec_server.settings import KEYS_VARIABLE
from tests.plugins.hybridrec_server.fakes import FakeServer

PAGES = ("/", "/api", "/openapi.json", "/pages/api.css")
EXAMPLES = {"search": "?q=a", "item": ""}


def call(server: FakeServer, endpoint, headers=()):
    path = endpoint.path.replace("{id}", "a/b") + EXAMPLES.get(endpoint.name, "")
    return server.ask(endpoint.method, path, next(iter(endpoint.examples.values()), None), headers)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_endpoint_answers_with_the_headers_and_is_counted_and_logged(endpoint):
    server = FakeServer()
    response = call(server, endpoint)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith(endpoint.media_type)
    assert response.headers["cache-control"] == "no-store"
    assert server.metrics.counted == [(endpoint.name, 200)]
    (line,) = (line for line in server.lines() if line["event"] == "request")
    assert (line["endpoint"], line["status"]) == (endpoint.name, 200)
    assert line["trace"] in response.headers["traceparent"]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_endpoint_asks_for_the_key_of_its_scope(endpoint):
    (read, read_line), (admin, admin_line) = made("web", "read"), made("ops", "admin")
    server = FakeServer({KEYS_VARIABLE: f"{read_line};{admin_line}"})
    statuses = [
        call(server, endpoint, {"x-api-key": key} if key else {}).status_code for key in ("", "no", read, admin)
    ]
    expected = {None: [200, 200, 200, 200], "read": [401, 401, 200, 200], "admin": [401, 401, 403, 200]}
    assert statuses == expected[endpoint.scope]
    if endpoint.scope is not None:
        assert call(server, endpoint).headers["www-authenticate"].startswith("Bearer")
        assert {line.get("key") for line in server.lines()} >= {"ops"}


@pytest.mark.parametrize("path", [*PAGES, "/nix", "/v1/recommend"])
def test_every_response_has_the_headers_of_security(path):
    response = FakeServer().ask("GET", path)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", PAGES)
def test_pages_need_no_key(path):
    server = FakeServer({KEYS_VARIABLE: made("web", "read")[1]})
    assert server.ask("GET", path).status_code == 200


def test_an_open_server_takes_no_admin_requests():
    server = FakeServer(host="0.0.0.0", open=True)
    assert server.ask("POST", "/v1/recommend", {}).status_code == 200
    assert server.ask("POST", "/admin/reload", {}).status_code == 403
    assert server.dispatcher.steps == []


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nix", 404, "not-found"),
        ("GET", "/v1/recommend/", 404, "not-found"),
        ("GET", "/v1/recommend", 405, "method"),
        ("OPTIONS", "/v1/recommend", 405, "method"),
        ("DELETE", "/health/live", 405, "method"),
        ("POST", "/api", 405, "method"),
        ("POST", "/pages/api.css", 405, "method"),
        ("GET", "/pages/", 404, "not-found"),
        ("GET", "/pages/%2e%2e/app.py", 404, "not-found"),
        ("GET", "/pages/..%2fapp.py", 404, "not-found"),
        ("GET", "/pages/%00", 404, "not-found"),
        ("GET", "/pages/" + "x" * 5000, 404, "not-found"),
    ],
)
def test_wrong_addresses_and_methods_are_problems(method, path, status, kind):
    response = FakeServer().ask(method, path)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert response.json()["type"] == f"/api#problem-{kind}"
    assert ("allow" in response.headers) == (status == 405)


def test_the_playground_is_served_at_the_root_and_hides_nothing(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("<!doctype html><title>play</title>")
    monkeypatch.setattr(app, "PLAYGROUND", tmp_path)
    server = FakeServer()
    for path in ("/", "/index.html"):
        response = server.ask("GET", path)
        assert (response.status_code, "play" in response.text) == (200, True)
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers["content-security-policy"]
    statuses = [server.ask("GET", path).status_code for path in ("/v1/recommend", "/nix", "/api", "/pages/api.css")]
    assert statuses == [405, 404, 200, 200]


def test_a_foreign_host_is_refused_before_anything_else():
    server = FakeServer()
    response = server.ask("POST", "/v1/recommend", {}, {"host": "evil.example"})
    assert response.status_code == 421
    assert server.dispatcher.asked == []


def test_a_mistake_of_the_server_shows_its_trace_to_the_log_alone():
    server = FakeServer()
    server.dispatcher.error = KeyError("/etc/secret/path")
    response = server.ask("POST", "/v1/recommend", {})
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    mistake, request = server.lines()
    assert "KeyError: '/etc/secret/path'" in mistake["traceback"]
    assert mistake["trace"] == request["trace"] == response.json()["trace"]
    assert request["status"] == 500


def test_log_lines_have_no_personal_data_unless_asked():
    body = {"user": "anna", "text": "private words", "items": ["secret-song"], "id": "request-of-anna"}
    shown = {}
    for persons in (False, True):
        server = FakeServer(log_persons=persons)
        server.ask("POST", "/v1/recommend", body)
        server.ask("POST", "/v1/recommend", {**body, "anna": 1})
        server.ask("GET", "/v1/items/secret-song")
        server.ask("GET", "/v1/search?q=private")
        shown[persons] = json.dumps(server.lines())
    assert not [word for word in ("anna", "private", "secret", "127.0.0.1") if word in shown[False]]
    assert '"users": ["anna"]' in shown[True]
    assert '"client": "127.0.0.1"' in shown[True]
    assert "private" not in shown[True]


def test_the_trace_of_a_client_is_passed_on():
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    server = FakeServer()
    response = server.ask("GET", "/health/live", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert response.headers["traceparent"].startswith(f"00-{trace}-")
    assert response.headers["traceparent"].endswith("-01")
    assert server.lines()[0]["trace"] == trace


def test_other_protocols_are_declined():
    server, sent = FakeServer(), []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "websocket.connect"}

    asyncio.run(server.app({"type": "websocket", "path": "/"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1000}]


def test_a_client_that_goes_away_is_logged_and_not_answered():
    server, sent = FakeServer(), []
    headers = [(b"content-type", b"application/json"), (b"host", b"127.0.0.1")]
    scope = {"type": "http", "path": "/v1/recommend", "method": "POST", "headers": headers, "query_string": b""}

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.disconnect"}

    asyncio.run(server.app(scope, receive, send))
    assert sent == []
    (line,) = server.lines()
    assert (line["status"], line["gone"]) == (0, True)
