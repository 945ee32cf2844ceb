"""The OpenAPI document is valid, complete, and the same wherever it is asked for."""

import asyncio

from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.desk import in_process

CONTRACT = {  # the calls that everybody who builds on us relies on
    ("get", "/healthz"),
    ("get", "/metrics"),
    ("get", "/api/v1/piles"),
    ("get", "/api/v1/piles/{pile_id}"),
    ("post", "/api/v1/piles/{pile_id}/connectors/{connector}/start"),
    ("post", "/api/v1/piles/{pile_id}/connectors/{connector}/stop"),
    ("post", "/api/v1/piles/{pile_id}/tariff"),
    ("post", "/api/v1/piles/{pile_id}/time"),
    ("post", "/api/v1/piles/{pile_id}/reboot"),
    ("get", "/api/v1/sessions"),
    ("get", "/api/v1/sessions/{transaction_id}"),
    ("get", "/api/v1/sessions/{transaction_id}/samples"),
    ("get", "/api/v1/bills"),
    ("get", "/api/v1/bills/{transaction_id}"),
    ("get", "/api/v1/bills/{transaction_id}/revisions"),
    ("get", "/api/v1/outbox"),
    ("post", "/api/v1/outbox/{outbox_id}/retry"),
    ("get", "/api/v1/events"),
}


async def document_of(directory):
    async with in_process(directory) as (desk, _):
        return await desk.document()


def test_the_document_is_valid_and_names_every_call(tmp_path):
    document = asyncio.run(document_of(tmp_path))
    OpenAPIV31SpecValidator(document).validate()
    calls = {(method, path) for path, item in document["paths"].items() for method in item}
    assert calls >= CONTRACT


def test_every_call_is_described_needs_the_token_and_promises_problems(tmp_path):
    document = asyncio.run(document_of(tmp_path))
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["description"], (method, path)
            if path == "/healthz":
                assert operation["security"] == []
                continue
            assert operation["security"] == [{"token": []}]
            assert "application/problem+json" in operation["responses"]["default"]["content"], path
            assert "422" not in operation["responses"]


def test_every_list_is_paged(tmp_path):
    document = asyncio.run(document_of(tmp_path))
    lists = [
        item["get"]
        for path, item in document["paths"].items()
        if "get" in item and "Page" in str(item["get"]["responses"]["200"])
    ]
    assert len(lists) >= 10
    for operation in lists:
        names = {each["name"] for each in operation["parameters"]}
        assert {"limit", "cursor"} <= names, operation["operationId"]


def test_the_bill_is_the_bill_of_the_schema(tmp_path):
    schemas = asyncio.run(document_of(tmp_path))["components"]["schemas"]
    assert schemas["Bill"]["additionalProperties"] is False
    assert schemas["Bill"]["properties"]["amount"] == {"$ref": "#/components/schemas/Bill_money"}
    assert schemas["Bill_money"]["pattern"]
