"""The OpenAPI document and the page about it: complete, valid, with examples that the server takes."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import jsonschema
import pytest

from hybridrec_server import openapi
from hybridrec_server.endpoints import ENDPOINTS
from hybridrec_server.problems import KINDS

DOCUMENT = openapi.document(ENDPOINTS)
PAGE = openapi.page(DOCUMENT, "http://127.0.0.1:9000").decode()
OPERATIONS = [
    (path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]


def schema_of(schema):
    return {**schema, "components": DOCUMENT["components"]}


def test_every_endpoint_is_there_once():
    assert [operation["operationId"] for _, _, operation in OPERATIONS] == [endpoint.name for endpoint in ENDPOINTS]


def test_the_version_is_that_of_the_addresses():
    versions = {match[1] for path in DOCUMENT["paths"] if (match := re.match(r"/v(\d+)/", path))}
    assert versions == {DOCUMENT["info"]["version"]} == {openapi.VERSION}


def test_schemas_are_valid_and_no_reference_leads_nowhere():
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    names = set(re.findall(r"#/components/schemas/(\w+)", openapi.as_json(DOCUMENT).decode()))
    assert names <= DOCUMENT["components"]["schemas"].keys()
    unused = DOCUMENT["components"]["schemas"].keys() - names
    assert not unused


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=[o["operationId"] for _, _, o in OPERATIONS])
def test_examples_follow_their_schemas(path, method, operation):
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        assert content["examples"]
        for example in content["examples"].values():
            jsonschema.validate(example["value"], schema_of(content["schema"]))
    for parameter in operation.get("parameters", []):
        assert "example" in parameter or not parameter["required"]
        if "example" in parameter:
            jsonschema.validate(parameter["example"], schema_of(parameter["schema"]))
    for response in operation["responses"].values():
        for content in response["content"].values():
            if "example" in content:
                jsonschema.validate(content["example"], schema_of(content["schema"]))


def test_further_statuses_have_the_same_model_beside_problems():
    for path, method, status in [("/health/ready", "get", "503"), ("/admin/reload", "post", "409")]:
        responses = DOCUMENT["paths"][path][method]["responses"]
        model = responses["200"]["content"]["application/json"]["schema"]
        assert responses[status]["content"]["application/json"]["schema"] == model


def test_unknown_keys_are_refused_by_the_schema_of_bodies():
    assert DOCUMENT["components"]["schemas"]["RecommendRequest"]["additionalProperties"] is False


def test_the_page_has_every_endpoint_model_and_problem_and_loads_nothing_from_elsewhere():
    for endpoint in ENDPOINTS:
        assert f'id="{endpoint.name}"' in PAGE
    for name in KINDS:
        assert f'id="problem-{name}"' in PAGE
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert (f'id="model-{name}"' in PAGE) == ("properties" in schema)
    assert "<script" not in PAGE
    assert "style=" not in PAGE
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', PAGE) == ["/pages/api.css", "/openapi.json"]


def test_the_page_has_the_address_of_the_server_code_and_links():
    assert "curl -s http://127.0.0.1:9000/v1/recommend -H" in PAGE
    assert "several in <code>queries</code>." in PAGE
    for path in ("search?q=dark", "items/dark-star", "pipelines"):
        assert f"curl -s &#39;http://127.0.0.1:9000/v1/{path}&#39;" in PAGE.replace("'", "&#39;")
    assert 'list of <a href="#model-Place">Place</a>' in PAGE
    assert "`" not in PAGE
    targets = set(re.findall(r'href="#([^"]+)"', PAGE))
    assert targets <= set(re.findall(r'id="([^"]+)"', PAGE))


def test_the_page_is_well_formed():
    stack: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "link"):
                stack.append(tag)

        def handle_endtag(self, tag):
            assert stack.pop() == tag

    Parser().feed(PAGE)
    assert stack == []
