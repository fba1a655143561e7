"""Install the Debian packages that are missing; say plainly what to do where that is not possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

COMMANDS = {"chromium": "chromium", "openjdk-17-jre-headless": "java", "maven": "mvn"}
"""Packages whose command may well come from elsewhere: present is present."""


def missing(packages: list[str]) -> list[str]:
    """Return those of `packages` that neither their command nor dpkg shows as present."""
    absent = []
    for package in packages:
        if package in COMMANDS and shutil.which(COMMANDS[package]):
            continue
        state = subprocess.run(
            ["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True, check=False
        )
        if "install ok installed" not in state.stdout:
            absent.append(package)
    return absent


def main(packages: list[str]) -> int:
    """Install what is missing of `packages`; 0 when all are there."""
    if shutil.which("dpkg-query") is None:
        sys.stderr.write("not a Debian system: see to these yourself: " + " ".join(packages) + "\n")
        return 0
    absent = missing(packages)
    if not absent:
        return 0
    if os.geteuid() != 0:
        sys.stderr.write("missing Debian packages; run as root: apt-get install " + " ".join(absent) + "\n")
        return 1
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *absent],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
