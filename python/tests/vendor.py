"""The vendor's description of its Management API, and whether an exchange is one that it describes.

The description is no part of this repository; what needs it is left out where it is missing.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DESCRIPTION = Path(__file__).resolve().parents[3] / "shared/data/supabase-management-api.json"


def problems(exchange: dict[str, Any]) -> list[str]:
    """Return how a request and its reply differ from the description; stricter than it is.

    Fields that it does not name are problems too, in requests and replies. A reply that the
    stand-in was told to spoil is not looked at, nor is one to a path that a test made up.
    """
    place = f"{exchange['method']} {exchange['path']}"
    operation = _operation(exchange["method"], exchange["path"])
    if operation is None:
        return [] if exchange["status"] == 404 else [f"{place}: not described"]
    found = []
    body = exchange["request"]
    if exchange["status"] < 300:
        described = operation.get("requestBody", {}).get("content", {})
        if (body is None) != (not described):
            found.append(f"{place}: request with{'out' if body is None else ''} a body")
        elif described:
            found += _differences(described["application/json"]["schema"], body)
    if exchange["fault"]:
        return found
    if exchange["status"] >= 400:
        if set(exchange["reply"]) != {"message"}:
            found.append(f"{place}: an error is an object with a message")
        return found
    reply = operation["responses"].get(str(exchange["status"]))
    if reply is None:
        return [*found, f"{place}: status {exchange['status']} is not described"]
    content = reply.get("content")
    if content:
        found += _differences(content["application/json"]["schema"], exchange["reply"])
    return [f"{place}: {text}" for text in found]


@cache
def _description() -> Any:
    return json.loads(DESCRIPTION.read_text())


def _operation(method: str, path: str) -> Any:
    for template, operations in _description()["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[a-z]{20}", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            return operations[method.lower()]
    return None


def _differences(schema: Any, value: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(_strict(schema)).iter_errors(value)]


def _strict(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: references followed, `nullable` spelled, no unknown fields."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _strict(_description()["components"]["schemas"][name])
    made = {key: _strict(part) for key, part in schema.items() if key != "example"}
    if isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if made.pop("nullable", False) else made
