"""The AsyncAPI 3.0 document of the topics, made from the wire types, so that it cannot say anything else.

``python -m pipeline.asyncapi > docs/asyncapi.yaml`` writes it anew; a test fails when the file is not current.
Only writing YAML wants PyYAML, which comes with the development dependencies: `document` needs nothing more than
the pipeline does.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import ModuleType
from typing import Any, Final, Literal

import msgspec

from hotlists import entry
from pipeline import model, telemetry, topics
from pipeline.model import Alert, Capture, Hit, Message, PlateRead, Reject, RirDraft
from pipeline.settings import Settings

_KAFKA_BINDING: Final = "0.5.0"
_HEAD: Final = (
    "# Made from the wire types by `python -m pipeline.asyncapi > docs/asyncapi.yaml`: change those, not this.\n"
)
_ABOUT: Final = """\
From number-plate read to alert: what passes between the stages of Kruispunt.

One JSON object a message, in UTF-8. A reader ignores fields that it does not know, and takes the default of
those that are missing; so fields are added without a new version `v`. Bytes travel as base64, moments as
integer nanoseconds since the epoch (UTC) in fields that end in `_ns`.

Every stage delivers at least once, and ids are derived from what makes a thing itself: a message that comes
twice has the same id, and is the same thing.
"""
_VERSION: Final = "Version of the type."
_MOMENT: Final = "Nanoseconds since the epoch, UTC."


@dataclass(frozen=True, slots=True)
class _Channel:
    """What the document says of a topic beyond its types."""

    name: str
    topic: str
    kind: type[Message]
    key: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]


_CHANNELS: Final = (
    _Channel("frames", topics.FRAMES, Capture, "Id of the camera.", ("gateway", "replay"), ("ocr",)),
    _Channel("reads", topics.READS, PlateRead, "Id of the camera.", ("gateway", "ocr"), ("match",)),
    _Channel(
        "rejects",
        topics.REJECTS,
        Reject,
        "Id of the camera; where it is not known, the source.",
        ("gateway", "ocr", "match", "alerts"),
        (),
    ),
    _Channel("hits", topics.HITS, Hit, "Id of the entry.", ("match",), ("alerts",)),
    _Channel("alerts", topics.ALERTS, Alert, "Id of the alert.", ("alerts",), ("console",)),
    _Channel("intake", topics.RIR, RirDraft, "Id of the alert.", ("alerts",), ()),
)


def document() -> dict[str, Any]:
    """Make the document, as plain values for a JSON or YAML encoder; the settings' defaults are its figures."""
    settings = Settings.model_construct()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kruispunt",
            "version": str(msgspec.structs.fields(Message)[0].default),
            "description": _ABOUT,
            "license": {"name": "EUPL-1.2"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": settings.kafka_bootstrap,
                "protocol": "kafka",
                "description": "The brokers of `LIK_KAFKA_BOOTSTRAP`.",
            }
        },
        "channels": {channel.name: _channel(channel, settings) for channel in _CHANNELS},
        "operations": dict(operation for channel in _CHANNELS for operation in _operations(channel)),
        "components": {
            "messages": {channel.kind.__name__: _message(channel) for channel in _CHANNELS},
            "schemas": _schemas(),
        },
    }


def _channel(channel: _Channel, settings: Settings) -> dict[str, Any]:
    topic = next(each for each in topics.TOPICS if each.name == channel.topic)
    name = channel.kind.__name__
    return {
        "address": channel.topic,
        "description": f"{_class_text(channel.kind)} Kept for {_duration(topic.retention_ms)}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {
                "partitions": settings.kafka_partitions,
                "replicas": settings.kafka_replication,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": topic.retention_ms,
                    "segment.ms": topic.segment_ms,
                    "max.message.bytes": settings.kafka_max_message_bytes,
                },
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _duration(length_ms: int) -> str:
    hours = length_ms // 3_600_000
    number, unit = (hours // 24, "day") if hours >= 48 else (hours, "hour")
    return f"{number} {unit}" + ("s" if number != 1 else "")


def _operations(channel: _Channel) -> Iterator[tuple[str, dict[str, Any]]]:
    for who in channel.senders:
        yield _operation(channel, who, "send")
    for who in channel.receivers:
        name, operation = _operation(channel, who, "receive")
        group = topics.GROUPS.get(channel.topic)
        if group is not None:
            kafka = {"groupId": {"type": "string", "enum": [group]}, "bindingVersion": _KAFKA_BINDING}
            operation["bindings"] = {"kafka": kafka}
        yield name, operation


def _operation(channel: _Channel, who: str, action: Literal["send", "receive"]) -> tuple[str, dict[str, Any]]:
    message = f"#/channels/{channel.name}/messages/{channel.kind.__name__}"
    return (
        f"{who}{action.capitalize()}s{channel.name.capitalize()}",
        {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel.name}"},
            "messages": [{"$ref": message}],
        },
    )


def _message(channel: _Channel) -> dict[str, Any]:
    name = channel.kind.__name__
    key = {"type": "string", "description": channel.key}
    return {
        "name": name,
        "title": name,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"kafka": {"key": key, "bindingVersion": _KAFKA_BINDING}},
    }


def _schemas() -> dict[str, Any]:
    """JSON schemas of all types, by name, with the docstrings of the types and of their fields."""
    kinds = [channel.kind for channel in _CHANNELS]
    _, found = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return {name: _described(name, schema) for name, schema in sorted(found.items())}


def _described(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    kind = _classes()[name]
    told = _field_texts(kind)
    described = {**schema, "description": _class_text(kind)}
    if issubclass(kind, Enum):
        described["enum"] = [member.value for member in kind]
        lines = [
            f"- `{kind[member].value}`: {text}" for member, text in told.items() if member in kind.__members__
        ]
        described["description"] = "\n".join([described["description"], *lines])
        return described
    told = {"v": _VERSION, "trail": _trail_text(), **told}
    described["properties"] = {
        field: _with_text(value, told.get(field, _MOMENT if field.endswith("_ns") else None))
        for field, value in schema["properties"].items()
    }
    return described


def _with_text(schema: Mapping[str, Any], text: str | None) -> dict[str, Any]:
    """Add a description; what stands beside a reference is ignored, so a reference goes into an ``allOf``."""
    beside = {name: value for name, value in schema.items() if name != "$ref"}
    if text is not None:
        beside = {"description": text, **beside}
    if "$ref" not in schema:
        return beside
    return {"allOf": [{"$ref": schema["$ref"]}], **beside} if beside else dict(schema)


def _trail_text() -> str:
    lines = [f"- `{stamp.value}`: {_field_texts(telemetry.Stamp)[stamp.name]}" for stamp in telemetry.Stamp]
    return "\n".join(["The way so far: nanoseconds since the epoch, UTC, by stamp.", *lines])


@cache
def _classes() -> dict[str, type]:
    """Every class of the modules that wire types are made of, by name."""
    return {
        name: each for module in (entry, model) for name, each in vars(module).items() if inspect.isclass(each)
    }


def _class_text(kind: type) -> str:
    return _markdown(inspect.getdoc(kind) or "")


def _field_texts(kind: type) -> dict[str, str]:
    """The text that stands below a field or a member, by name; those of the base classes too."""
    texts: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        module = sys.modules[each.__module__]
        if module in (entry, model, telemetry):
            texts |= _texts_of(module).get(each.__name__, {})
    return texts


@cache
def _texts_of(module: ModuleType) -> dict[str, dict[str, str]]:
    """Text by class and field: Python keeps no docstrings of attributes, the source does."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        texts = found[node.name] = {}
        for field, text in zip(node.body, node.body[1:], strict=False):
            name = _name_of(field)
            if name and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                texts[name] = _markdown(inspect.cleandoc(str(text.value.value)))
    return found


def _name_of(node: ast.stmt) -> str | None:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return None


def _markdown(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def to_yaml(content: Mapping[str, Any]) -> str:
    """Write a document as YAML, with a line on top that says where it comes from.

    Raises
    ------
    ModuleNotFoundError
        PyYAML is not there: it comes with ``pip install 'kruispunt[dev]'``.
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes a text of several lines as it reads."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return _HEAD + yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)


if __name__ == "__main__":
    sys.stdout.write(to_yaml(document()))
