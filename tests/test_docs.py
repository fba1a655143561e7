"""The documents say what the code does: settings, topics, wire types, paths, links, the licence."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types
import jsonschema
import msgspec
import pytest
import yaml
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from pipeline import asyncapi, topics
from pipeline.model import Message, RejectReason, decode, encode
from pipeline.settings import Settings
from tests.factories import make_alert, make_hit, make_read

ROOT = Path(__file__).parent.parent
SETTINGS = ROOT / "docs" / "settings.md"
ASYNCAPI = ROOT / "docs" / "asyncapi.yaml"
SPECS = "@asyncapi/specs@6.11.1"
"""The npm package with the AsyncAPI initiative's own JSON schemas."""
KINDS: list[type[Message]] = Message.__subclasses__()
PACKAGES = ("plates", "hotlists", "pipeline", "console", "training", "bench", "recordings", "tests", "deploy")


def rows_of(path: Path, columns: int) -> list[tuple[str, ...]]:
    """The rows of a Markdown file's tables of so many columns whose first cell is a LIK_ variable."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith("| `LIK_")]
    rows = [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in lines]
    return [row for row in rows if len(row) == columns]


# Settings -----------------------------------------------------------------------------------------------


def documented() -> dict[str, tuple[str, str]]:
    """Type and default of each setting in docs/settings.md, by variable."""
    return {name.strip("`"): (kind, default.strip("`")) for name, kind, default, _ in rows_of(SETTINGS, 4)}


def described(field: FieldInfo) -> tuple[str, str]:
    """Type and default of a setting, as the document words them."""
    kinds: dict[Any, str] = {
        int: "integer",
        float: "number",
        bool: "true or false",
        str: "text",
        Path: "path",
        SecretStr: "secret",
        dict[str, str]: "JSON object",
        dict[str, dict[str, str]]: "JSON object",
    }
    if get_origin(field.annotation) is Literal:
        *most, last = get_args(field.annotation)
        kind = f"{', '.join(most)} or {last}"
    else:
        kind = kinds[field.annotation]
    limits = {type(each): each for each in field.metadata}
    at_least, at_most = limits.get(annotated_types.Ge), limits.get(annotated_types.Le)
    above = limits.get(annotated_types.Gt)
    if at_least is not None:
        kind += f", {at_least.ge} to {at_most.le}" if at_most is not None else f", {at_least.ge} or more"
    elif above is not None:
        kind += f", above {above.gt}"
    match field.default:
        case SecretStr():
            default = field.default.get_secret_value() or "(empty)"
        case bool():
            default = str(field.default).lower()
        case _:
            default = str(field.default) or "(empty)"
    return kind, default


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented_with_its_type_and_default(name: str) -> None:
    variable = f"LIK_{name.upper()}"
    assert variable in documented(), f"{variable} is missing in docs/settings.md"
    assert documented()[variable] == described(Settings.model_fields[name])


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(documented()) == {f"LIK_{name.upper()}" for name in Settings.model_fields}


def test_each_variable_has_one_row_that_says_what_it_means() -> None:
    rows = [*rows_of(SETTINGS, 4), *rows_of(SETTINGS, 3)]
    assert len({row[0] for row in rows}) == len(rows)
    assert all(row[-1].endswith((".", "**")) for row in rows)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_read_somewhere(name: str) -> None:
    read = re.compile(rf"settings\.{name}\b")
    sources = (path for path in sources_of("py") if path.name != "settings.py" and "tests" not in path.parts)
    assert any(read.search(path.read_text("utf-8")) for path in sources), f"nothing reads {name}"


def test_every_other_variable_that_is_read_is_documented() -> None:
    found = set()
    for path in (*sources_of("py"), ROOT / "Makefile", ROOT / ".ci" / "run"):
        text = path.read_text("utf-8")
        found |= set(re.findall(r"""environ(?:\.get\(|\[)\s*["'](LIK_[A-Z_]+)["']""", text))
        if path.suffix != ".py":
            found |= set(re.findall(r"\bLIK_[A-Z_]+", text))
    others = {name for name in found if name.removeprefix("LIK_").lower() not in Settings.model_fields}
    assert others == {row[0].strip("`") for row in rows_of(SETTINGS, 3)}


def sources_of(suffix: str) -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob(f"*.{suffix}"))


# Topics and wire types ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """docs/asyncapi.yaml as it is in the tree."""
    loaded: dict[str, Any] = yaml.safe_load(ASYNCAPI.read_text("utf-8"))
    return loaded


def test_the_asyncapi_document_is_current() -> None:
    remedy = "python -m pipeline.asyncapi > docs/asyncapi.yaml"
    assert ASYNCAPI.read_text("utf-8") == asyncapi.to_yaml(asyncapi.document()), remedy


@pytest.fixture(scope="session")
def official_schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The AsyncAPI initiative's JSON schema of version 3.0.0, from its npm package."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm, which brings the official AsyncAPI schema (Debian: npm)")
    folder = tmp_path_factory.mktemp("asyncapi")
    done = subprocess.run(
        [npm, "pack", "--silent", "--prefer-offline", SPECS],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"npm cannot bring {SPECS}: {done.stderr[-300:]}")
    with tarfile.open(folder / done.stdout.strip()) as package:
        member = package.extractfile("package/schemas/3.0.0.json")
        assert member is not None
        schema: dict[str, Any] = json.load(member)
    return schema


def test_the_document_is_valid_asyncapi(document: dict[str, Any], official_schema: dict[str, Any]) -> None:
    validator = jsonschema.Draft7Validator(official_schema)
    assert [f"{each.json_path}: {each.message[:300]}" for each in validator.iter_errors(document)] == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = list(references_in(document))
    assert len(references) > 40
    for reference in references:
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in target, reference
            target = target[step]


def references_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            # Whatever stands beside a reference is ignored: nothing may stand there.
            assert set(node) == {"$ref"}
            yield node["$ref"]
        for value in node.values():
            yield from references_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from references_in(value)


def test_the_document_has_every_topic_with_its_retention(document: dict[str, Any]) -> None:
    settings = Settings.model_construct()
    channels = {channel["address"]: channel["bindings"]["kafka"] for channel in document["channels"].values()}
    assert set(channels) == {topic.name for topic in topics.TOPICS}
    for topic in topics.TOPICS:
        kafka = channels[topic.name]
        assert kafka["topicConfiguration"]["retention.ms"] == topic.retention_ms
        assert kafka["partitions"] == settings.kafka_partitions


def test_the_document_agrees_with_the_table_of_the_topics(document: dict[str, Any]) -> None:
    rows = re.findall(r"^\| ([a-z.]+) \| (\w+) \| ([\w ]+) \| ([\w-]+) \|$", topics.__doc__ or "", re.MULTILINE)
    assert len(rows) == len(topics.TOPICS)
    by_address = {channel["address"]: (name, channel) for name, channel in document["channels"].items()}
    for address, kind, key, group in rows:
        name, channel = by_address[address]
        assert list(channel["messages"]) == [kind]
        message = document["components"]["messages"][kind]
        assert key.split()[0] in message["bindings"]["kafka"]["key"]["description"]
        groups = [
            operation["bindings"]["kafka"]["groupId"]["enum"]
            for operation in document["operations"].values()
            if operation["channel"]["$ref"] == f"#/channels/{name}" and "bindings" in operation
        ]
        assert groups == ([] if group == "none" else [[group]])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_schema_of_a_type_has_its_fields(kind: type[Message], document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"][kind.__name__]
    fields = msgspec.structs.fields(kind)
    assert list(schema["properties"]) == [field.encode_name for field in fields]
    assert schema["required"] == [field.encode_name for field in fields if field.required]
    assert schema["description"]


def test_the_texts_of_fields_and_members_are_taken_over(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["PlateRead"]["properties"]["text"]["description"] == "The text as the source gave it."
    assert "`received`: The gateway" in schemas["Hit"]["properties"]["trail"]["description"]
    assert schemas["Alert"]["properties"]["hit"]["description"].startswith("The first hit;")
    assert "- `shed`: A frame dropped under overload." in schemas["RejectReason"]["description"]
    assert schemas["RejectReason"]["enum"] == [reason.value for reason in RejectReason]


def validator_of(document: dict[str, Any], kind: type[Message]) -> jsonschema.Draft7Validator:
    # Draft 7 ignores what stands beside a reference, so the components go beside an allOf.
    reference = {"$ref": f"#/components/schemas/{kind.__name__}"}
    schema = {"allOf": [reference], "components": document["components"]}
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_real_messages_are_valid_by_the_schema(kind: type[Message], document: dict[str, Any]) -> None:
    validator = validator_of(document, kind)
    lines = (ROOT / "tests" / "golden" / "v1" / f"{kind.__name__}.ndjson").read_bytes().splitlines()
    for line in lines:
        validator.validate(json.loads(line))
        validator.validate(json.loads(encode(decode(line, kind))))
    for message in (make_read(), make_hit(), make_alert()):
        if isinstance(message, kind):
            validator.validate(json.loads(encode(message)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_the_decoder_refuses_the_schema_refuses(kind: type[Message], document: dict[str, Any]) -> None:
    validator = validator_of(document, kind)
    whole = json.loads((ROOT / "tests" / "golden" / "v1" / f"{kind.__name__}.ndjson").read_bytes().splitlines()[0])
    for field in msgspec.structs.fields(kind):
        assert not validator.is_valid({**whole, field.name: {"no": []}})
        if field.required:
            assert not validator.is_valid({name: value for name, value in whole.items() if name != field.name})


# The other documents ------------------------------------------------------------------------------------


def documents() -> list[Path]:
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    return sorted(found)


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_points_to_is_there(path: Path) -> None:
    text = path.read_text("utf-8")
    linked = [
        path.parent / target.partition("#")[0] for target in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", text)
    ]
    named = [
        ROOT / name
        for name in re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|md|yaml|yml|xml|json|toml))`", text)
        if name.split("/")[0] in (*PACKAGES, "docs")
    ]
    assert [str(target.relative_to(ROOT)) for target in linked + named if not target.exists()] == []


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2\nEUPL © the European Union 2007, 2016\n")
    articles = re.findall(r"^(\d+)\.\w", text, re.MULTILINE)
    assert articles == [str(number) for number in range(1, 16)]
    appendix = text.partition("Appendix\n")[2]
    assert len(re.findall(r"^— ", appendix, re.MULTILINE)) == 10
    assert text.rstrip().endswith("require the production of a new EUPL version.")


def test_the_changelog_is_in_the_form_that_it_says() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    releases = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert releases[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", release) for release in releases[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds
    assert "\n- " in text
