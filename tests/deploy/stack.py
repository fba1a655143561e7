"""What the deployment's files say, read once for the tests of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE_TEXT = (DEPLOY / "compose.yaml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[?-])([^}]*))?\}")
"""``${NAME}``, ``${NAME:-default}`` or ``${NAME:?what is missing}``."""


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each as its name and its arguments, in order."""
    lines = (line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#"))
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.partition(" ") for line in whole.splitlines() if line.strip()]
    return [(name, arguments.strip()) for name, _, arguments in found]


def image_environment() -> dict[str, str]:
    """The variables that the final image sets."""
    _, final = stages()
    pairs = (pair for name, arguments in final if name == "ENV" for pair in arguments.split())
    return dict(pair.split("=", 1) for pair in pairs)


def stages() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The instructions of the build stage, and those of the final one."""
    every = instructions()
    start = [number for number, (name, _) in enumerate(every) if name == "FROM"][-1]
    return every[:start], every[start:]


def worker_of(service: dict[str, Any]) -> str | None:
    """The worker that a service runs, if it runs one."""
    command = service.get("command", [])
    return command[1] if command[:1] == ["worker"] else None
