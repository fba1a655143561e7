"""The Dockerfile: linted, pinned, without root or tools, and with all that the workers import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.cli import _MODULES
from pipeline.settings import Settings
from tests.deploy.stack import DEPLOY, DOCKERFILE, ROOT, SERVICES, image_environment, instructions, stages

LOCK = DEPLOY / "requirements.txt"


def copied() -> set[str]:
    """What the Dockerfile copies from the tree."""
    found: set[str] = set()
    for name, arguments in instructions():
        if name == "COPY" and not arguments.startswith("--from"):
            found |= set(arguments.split()[:-1])
    return found


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_begins_with_one_pinned_python() -> None:
    bases = {arguments.split()[0] for name, arguments in instructions() if name == "FROM"}
    assert len(bases) == 1
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-bookworm", bases.pop())
    assert version is not None
    # The lock was made for this one: wheels of another may be of other versions.
    assert tuple(map(int, version[1].split("."))) == (3, 11)


def test_it_ends_as_a_user_by_number_that_is_not_root() -> None:
    _, final = stages()
    users = [arguments for name, arguments in final if name == "USER"]
    assert len(users) == 1
    assert int(users[0]) > 999
    after = final[final.index(("USER", users[0])) :]
    assert not {name for name, _ in after} & {"RUN", "COPY", "ADD"}


def test_the_final_image_can_install_nothing() -> None:
    _, final = stages()
    runs = " ".join(arguments for name, arguments in final if name == "RUN")
    assert "pip uninstall --yes --root-user-action=ignore pip setuptools wheel" in runs
    assert not re.search(r"apt|pip install|gcc|build-essential", runs)
    assert "--without-pip" in DOCKERFILE


def test_what_is_copied_is_there_and_is_all_that_the_builder_is_sent() -> None:
    missing = [source for source in copied() if not (ROOT / source).exists()]
    assert missing == []
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied()
    assert "**/.env" in rules


def test_it_sets_only_settings_that_exist() -> None:
    lik = {name for name in image_environment() if name.startswith("LIK_")}
    assert {name.removeprefix("LIK_").lower() for name in lik} <= set(Settings.model_fields)
    assert not {name for name in lik if "TOKEN" in name or "SECRET" in name or "URL" in name}


def test_the_state_folder_is_the_users() -> None:
    folder = image_environment()["LIK_STATE_DIR"]
    _, final = stages()
    user = next(arguments for name, arguments in final if name == "USER")
    assert f"install --directory --owner={user} --group={user} --mode=0700 {folder}" in DOCKERFILE


def test_what_is_compiled_is_kept_in_the_state_folder() -> None:
    folder = Path(image_environment()["NUMBA_CACHE_DIR"])
    assert folder.parent == Path(image_environment()["LIK_STATE_DIR"])
    # In a volume: else each new container would compile anew.
    assert f"snapshot:{folder.parent}" in SERVICES["match"]["volumes"]


def test_the_compiled_loops_go_to_the_folder_that_is_set(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import pipeline.match.kernels as kernels; kernels.length_of(0)"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    assert list(tmp_path.rglob("numba/*/kernels.length_of-*.nbc"))


_IMPORT = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"training", "recordings", "tests"}:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

sys.meta_path.insert(0, Absent())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_the_workers_import_only_what_is_copied() -> None:
    packages = {source for source in copied() if (ROOT / source / "__init__.py").exists()}
    assert packages == {"plates", "hotlists", "pipeline", "console", "bench"}
    command = [sys.executable, "-c", _IMPORT, "pipeline.cli", *_MODULES.values()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# The lock -----------------------------------------------------------------------------------------------


def locked() -> dict[str, str]:
    """The version of each package that the image installs."""
    lines = [line for line in LOCK.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def required(name: str, extras: frozenset[str], seen: dict[str, list[Requirement]]) -> None:
    """Collect what a package that is installed here requires, and what that requires in turn."""
    for line in metadata.requires(name) or []:
        requirement = Requirement(line)
        wanted = [
            extra
            for extra in (*extras, "")
            if not requirement.marker or requirement.marker.evaluate({"extra": extra})
        ]
        if not wanted:
            continue
        known = seen.setdefault(canonicalize_name(requirement.name), [])
        if str(requirement) not in map(str, known):
            known.append(requirement)
            required(requirement.name, frozenset(requirement.extras), seen)


def test_every_line_of_the_lock_is_one_version() -> None:
    lines = [line for line in LOCK.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9._-]+==[\w.]+", line) for line in lines)
    assert len(lines) == len(locked())


def test_the_lock_has_all_that_the_project_requires_in_versions_that_it_takes() -> None:
    seen: dict[str, list[Requirement]] = {}
    required("kruispunt", frozenset(), seen)
    assert len(seen) > 30
    remedy = "run deploy/lock.py"
    for name, requirements in seen.items():
        assert name in locked(), f"{name} is not locked: {remedy}"
        for requirement in requirements:
            assert requirement.specifier.contains(locked()[name], prereleases=True), f"{requirement}: {remedy}"


@pytest.mark.parametrize(
    "name", ["pytest", "hypothesis", "mypy", "ruff", "playwright", "testcontainers", "rapidfuzz"]
)
def test_the_lock_has_nothing_that_only_development_needs(name: str) -> None:
    assert name not in locked()
