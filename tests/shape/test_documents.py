"""The OpenAPI document: complete enough to generate clients from."""

import json
import re

from flask import Flask


def test_every_operation_of_the_document_has_a_name_of_its_own(app: Flask) -> None:
    paths = app.test_client().get("/openapi.json").get_json()["paths"]

    names = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert len(set(names)) == len(names)


def test_every_reference_of_the_document_leads_somewhere(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").get_json()

    referred = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document)))
    assert referred <= set(document["components"]["schemas"])


def test_every_member_of_the_document_has_a_type_so_that_generated_clients_have_one(app: Flask) -> None:
    schemas = app.test_client().get("/openapi.json").get_json()["components"]["schemas"]

    untyped = [
        f"{name}.{member}"
        for name, schema in schemas.items()
        for member, described in schema.get("properties", {}).items()
        if not {"type", "$ref", "anyOf", "const"} & set(described)
    ]
    free = [name for name, schema in schemas.items() if schema.get("additionalProperties") is True]
    assert untyped == []
    assert free == ["InsufficientCreditsProblem", "JsonObject", "Problem"]


def test_every_refusal_of_the_document_is_a_problem_with_its_codes(app: Flask) -> None:
    paths = app.test_client().get("/openapi.json").get_json()["paths"]

    for operations in paths.values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if int(status) < 400 or operation["operationId"] == "getReadiness":
                    continue
                model = "InsufficientCreditsProblem" if status == "402" else "Problem"
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": f"#/components/schemas/{model}"}
                assert answer["description"].startswith("Refused: `")
