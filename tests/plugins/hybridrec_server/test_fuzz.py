"""Bodies and requests that no client should send: every answer follows the OpenAPI document."""

from __future__ import annotations

import orjson
import pytest

from benchmarks.serving_fuzz import Fuzz, run_mutations, run_schemathesis
from hybridrec_server import openapi
from hybridrec_server.endpoints import ENDPOINTS
from tests.plugins.hybridrec_server.fakes import FakeServer
from tests.plugins.hybridrec_server.test_server import running

DOCUMENT = openapi.document(ENDPOINTS)


def test_mutated_bodies_get_answers_that_follow_the_document():
    server, fuzz, statuses = FakeServer(), Fuzz(DOCUMENT, seed=3), set()
    for path, body in fuzz.bodies(600):
        response = server.ask("POST", path, body)
        assert not fuzz.mistakes(path, response), (path, body[:300], response.text[:300])
        statuses.add(response.status_code)
    assert statuses == {200, 400, 413, 422}


def test_the_fuzz_sees_a_wrong_answer():
    fuzz = Fuzz(DOCUMENT)
    server = FakeServer()
    response = server.ask("POST", "/v1/recommend", {})
    assert fuzz.mistakes("/v1/recommend", response) == []
    response._content = orjson.dumps({**response.json(), "items": [{"place": "first"}]})
    assert fuzz.mistakes("/v1/recommend", response)
    server.dispatcher.error = ValueError()
    assert "status 500" in fuzz.mistakes("/v1/recommend", server.ask("POST", "/v1/recommend", {}))
    response.status_code = 418
    assert "418" in fuzz.mistakes("/v1/recommend", response)[0]


@pytest.mark.slow
def test_schemathesis_has_no_complaint():
    with running() as server:
        status, count, printed = run_schemathesis(server.address, 20, "examples,coverage,fuzzing")
        assert status == 0, printed
        assert count > 500
        statuses, wrong = run_mutations(server.address, 300)
        assert not wrong
        assert statuses.keys() == {200, 400, 413, 422}
