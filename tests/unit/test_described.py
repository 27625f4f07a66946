"""The API's description of itself says of every address who may, what it takes, and what it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from desk import described
from desk.app import ROUTERS
from desk.guard import SAFE, TOLD_BY_PROGRAMS
from desk.sessions import scope_of


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    app = FastAPI(version="1", openapi_url=None, docs_url=None, redoc_url=None)
    for router in ROUTERS:
        app.include_router(router)
    return described.of(app)


@pytest.fixture(scope="module")
def operations(whole: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method, path): operation for path, method, operation in of_the_api(whole)}


def of_the_api(whole: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    return (each for each in described.operations(whole) if each[0].startswith("/api/"))


def routes() -> set[tuple[str, str]]:
    """All of the API that there are, the description itself aside."""
    found = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return {
        (method.lower(), route.path_format)
        for route in found
        for method in route.methods or ()
        if route.path.startswith("/api/v1/") and route.path != "/api/v1/openapi.json"
    }


def test_every_address_of_the_api_is_described_and_no_other(operations: dict[tuple[str, str], Any]) -> None:
    assert set(operations) == routes()


def test_each_has_a_name_of_its_own_a_summary_and_a_tag(operations: dict[tuple[str, str], Any]) -> None:
    names = Counter(one["operationId"] for one in operations.values())
    assert [name for name, times in names.items() if times > 1] == []
    lacking = [key for key, one in operations.items() if not one["summary"] or len(one["summary"]) > 150]
    assert lacking == [], "the first sentence of a function's docstring is its summary"
    assert [key for key, one in operations.items() if len(one.get("tags", [])) != 1] == []


def test_names_follow_from_addresses() -> None:
    assert described.operation_id("/api/v1/customers", "get") == "get_customers"
    assert described.operation_id("/api/v1/customers/{customer_id}", "get") == "get_customer"
    assert described.operation_id("/api/v1/people/{user_id}/sessions/{session_id}", "delete") == "delete_person_session"
    assert described.operation_id("/api/v1/tasks/{task_id}/put-away", "post") == "post_task_put_away"


def test_each_says_the_scope_of_a_token_and_what_a_page_must_say(operations: dict[tuple[str, str], Any]) -> None:
    for (method, path), one in operations.items():
        if path.startswith(TOLD_BY_PROGRAMS):
            assert one["security"] == [{"source": []}]
            continue
        by_token, by_page = one["security"]
        assert by_token == {"token": [scope_of(method.upper(), path)]}
        assert ("origin" in by_page) == (method.upper() not in SAFE)


def test_each_says_the_errors_that_follow_from_what_it_takes(operations: dict[tuple[str, str], Any]) -> None:
    for (_, path), one in operations.items():
        said = set(one["responses"])
        headers = {each["name"].lower() for each in one.get("parameters", []) if each["in"] == "header"}
        assert {"401", "503"} <= said, path
        assert ("{" not in path) or "404" in said, path
        assert ("if-match" in headers) == ({"412", "428"} <= said), path
        assert ("requestBody" in one) <= ({"400", "411", "413", "422"} <= said), path
        assert any(status.startswith("2") for status in said), path


def test_errors_are_problems_and_successes_have_a_type(whole: dict[str, Any]) -> None:
    for response in whole["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]
    for path, method, one in of_the_api(whole):
        for status, response in one["responses"].items():
            if status.startswith("2") and status != "204" and path != "/api/v1/events":
                assert response["content"]["application/json"]["schema"] != {}, (method, path)


def test_bodies_are_typed_and_take_nothing_that_they_do_not_name(whole: dict[str, Any]) -> None:
    free = {"/api/v1/customers/{customer_id}/fields"}  # the company's own fields, by their names
    schemas = whole["components"]["schemas"]
    for path, method, one in of_the_api(whole):
        if "requestBody" not in one or path in free:
            continue
        for kind, content in one["requestBody"]["content"].items():
            if kind == "application/json":
                name = content["schema"]["$ref"].rpartition("/")[2]
                assert schemas[name]["additionalProperties"] is False, (method, path)


def test_whole_numbers_of_parameters_have_bounds(operations: dict[tuple[str, str], Any]) -> None:
    for (method, path), one in operations.items():
        for each in one.get("parameters", []):
            for kind in (each["schema"], *each["schema"].get("anyOf", [])):
                if kind.get("type") == "integer":
                    assert {"minimum", "maximum"} <= set(kind), (method, path, each["name"])


def test_nothing_is_pointed_at_that_is_not_there(whole: dict[str, Any]) -> None:
    def refs(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*(refs(each) for each in value.values()))
        return set().union(*(refs(each) for each in value)) if isinstance(value, list) else set()

    for ref in refs(whole):
        _, kind, part, name = ref.split("/")
        assert name in whole[kind][part], ref
