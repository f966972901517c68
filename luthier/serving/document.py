"""The OpenAPI document of a server: its paths for the model's own columns, within its own limits."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import Any

from luthier.serving.chat_protocol import ChatRequest
from luthier.serving.gate import OPEN
from luthier.serving.json_body import VERSION_HEADER
from luthier.serving.refusal import MEANINGS
from luthier.serving.service import Service

REFERENCE = "#/components/schemas/{model}"
# Any request may be refused by these.
ALWAYS = (400, 403, 408, 413)
ASKED = (415, 422, 429, 500, 503, 504)


def openapi_document(service: Service, *, needs_token: bool) -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths = {
        "/invocations": {
            "post": _asks(service, "Answers rows, as MLflow's scoring server does.", "Invocations", "Predictions")
        },
        "/try": {"post": _asks(service, "Answers one row, with the scores of all labels.", "Row", "Tried")},
        "/ping": {"get": _tells("Whether the server is there.", {"type": "string"}, kind="text/plain")},
        "/health": {"get": _tells("Whether the model is there.", _of("Health"), (500, 503))},
        "/version": {"get": _tells("What answers, and since when.", _of("Version"), (500, 503))},
        "/metrics": {"get": _tells("Numbers for Prometheus.", {"type": "string"}, kind="text/plain")},
        "/openapi.json": {"get": _tells("This document.", {"type": "object"})},
        "/": {"get": _tells("A page to try the model.", {"type": "string"}, kind="text/html")},
    }
    if service.described.is_chat:
        paths |= {
            "/v1/chat/completions": {"post": _chat()},
            "/v1/models": {"get": _tells("The model by its name.", _of("Models"), (500, 503), error="OpenAIError")},
        }
    components: dict[str, Any] = {"schemas": _schemas(service)}
    if needs_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, methods in paths.items():
            if path not in OPEN:
                for operation in methods.values():
                    operation["security"] = [{"token": []}]
                    error = "OpenAIError" if path.startswith("/v1/") else "Error"
                    operation["responses"]["401"] = _refused(401, error)
    title = f"{service.settings.model}: {service.described.task}"
    return {"openapi": "3.1.0", "info": {"title": title, "version": "1"}, "paths": paths, "components": components}


def _of(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=name)}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _said(description: str, schema: dict[str, Any], kind: str, *, versioned: bool = True) -> dict[str, Any]:
    header = {"description": "The version that answered.", "required": versioned, "schema": {"type": "string"}}
    return {"description": description, "headers": {VERSION_HEADER: header}, "content": {kind: {"schema": schema}}}


def _refused(status: int, error: str) -> dict[str, Any]:
    return {"description": MEANINGS[status][1], "content": {"application/json": {"schema": _of(error)}}}


def _refusals(statuses: Iterable[int], error: str) -> dict[str, Any]:
    return {str(status): _refused(status, error) for status in sorted({*ALWAYS, *statuses})}


def _tells(
    summary: str,
    schema: dict[str, Any],
    statuses: Iterable[int] = (500,),
    *,
    kind: str = "application/json",
    error: str = "Error",
) -> dict[str, Any]:
    said = _said(summary, schema, kind, versioned=503 in set(statuses))
    return {"summary": summary, "responses": {"200": said, **_refusals(statuses, error)}}


def _asks(service: Service, summary: str, body: str, answer: str) -> dict[str, Any]:
    responses = {"200": _said(summary, _of(answer), "application/json"), **_refusals(ASKED, "Error")}
    return {"summary": summary, "requestBody": _body(_of(body)), "responses": responses}


def _chat() -> dict[str, Any]:
    summary = "Goes on with a conversation."
    said = _said(summary, _of("Completion"), "application/json")
    event = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
    said["content"]["text/event-stream"] = {"schema": event}
    refusals = _refusals((404, 415, 422, 429, 500, 503, 504), "OpenAIError")
    return {"summary": summary, "requestBody": _body(_of("ChatRequest")), "responses": {"200": said, **refusals}}


def _schemas(service: Service) -> dict[str, Any]:
    schemas = {
        **_row_schemas(service),
        "Error": _object(error_code={"type": "string"}, message={"type": "string"}),
        "Health": _object(status={"const": "ready"}, version={"type": "string"}),
        "Version": _object(
            model={"type": "string"},
            version={"type": "string"},
            alias={"type": ["string", "null"]},
            task={"type": "string"},
            since={"type": "string", "format": "date-time"},
            swaps={"type": "integer"},
            swap_failures={"type": "integer"},
            last_failure={"type": ["string", "null"]},
        ),
    }
    return schemas | (_chat_schemas(service) if service.described.is_chat else {})


def _row_schemas(service: Service) -> dict[str, Any]:
    inputs, required, limits = service.described.inputs, service.described.required, service.limits
    text: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": limits.characters, "pattern": r"\S"}
    some = {"type": "array", "maxItems": limits.rows}
    # A conversation is all that a row needs, and so is a text that begins one.
    needed: dict[str, Any] = (
        {"required": list(required)} if required else {"anyOf": [{"required": [name]} for name in inputs]}
    )

    def of_columns(value: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "properties": dict.fromkeys(inputs, value), "additionalProperties": False, **needed}

    row, columns = of_columns(text), of_columns({**some, "items": text})
    records = {**some, "items": _of("Row")}
    forms: dict[str, Any] = {
        "dataframe_records": records,
        "dataframe_split": {"anyOf": [_split(order, text, some) for order in _orders(inputs, required)]},
        "instances": records,
        "inputs": {"anyOf": [columns, records]},
    }
    answer = {"type": "object"}
    scores = {"type": ["object", "null"], "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}}
    return {
        "Row": row,
        "Invocations": {"oneOf": [_object(**{name: form}) for name, form in forms.items()]},
        "Predictions": _object(predictions={"type": "array", "items": answer}),
        "Tried": _object(version={"type": "string"}, answer=answer, scores=scores),
    }


def _orders(inputs: Sequence[str], required: Sequence[str]) -> list[tuple[str, ...]]:
    """The columns of a row in any order, without any that it can do without."""
    orders = (order for count in range(1, len(inputs) + 1) for order in permutations(inputs, count))
    return [order for order in orders if set(required) <= set(order)]


def _split(order: Sequence[str], text: dict[str, Any], some: dict[str, Any]) -> dict[str, Any]:
    row = {"type": "array", "items": text, "minItems": len(order), "maxItems": len(order)}
    split = _object(columns={"const": list(order)}, data={**some, "items": row})
    split["properties"]["index"] = {"type": "array"}
    return split


def _chat_schemas(service: Service) -> dict[str, Any]:
    asked = ChatRequest.model_json_schema(ref_template=REFERENCE)
    definitions = asked.pop("$defs")
    asked["properties"]["model"] = {"const": service.settings.model}
    count = {"type": "integer", "minimum": 0}
    choice = _object(
        index={"const": 0},
        message={"type": "object", "required": ["role", "content"]},
        finish_reason={"enum": ["stop", "length"]},
        logprobs={"type": "null"},
    )
    named = {"id": {"type": "string"}, "created": count, "model": {"type": "string"}}
    usage = _object(prompt_tokens=count, completion_tokens=count, total_tokens=count)
    error = _object(
        message={"type": "string"},
        type={"type": "string"},
        param={"type": ["string", "null"]},
        code={"type": ["string", "null"]},
    )
    return {
        **definitions,
        "ChatRequest": asked,
        "Completion": _object(
            **named, object={"const": "chat.completion"}, choices={"type": "array", "items": choice}, usage=usage
        ),
        "Models": _object(object={"const": "list"}, data={"type": "array", "items": {"type": "object"}}),
        "OpenAIError": _object(error=error),
    }


def _object(**properties: Any) -> dict[str, Any]:
    """An object that has all of these fields, and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
