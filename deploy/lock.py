"""Write `deploy/requirements.txt`: everything that the image installs, each at one version.

Run it with the Python of the image (3.11), from any folder, when a dependency changes or is to be renewed::

    python deploy/lock.py

It asks pip what it would install of this project into an empty environment; nothing is installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "deploy" / "requirements.txt"
HEAD = "# What the image installs. Made by `python deploy/lock.py`; the ranges are in pyproject.toml.\n"


def resolve() -> dict[str, str]:
    """Ask pip for the versions; return them by name, the project itself left out."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
    report = subprocess.run([*command, "--report", "-", str(ROOT)], check=True, stdout=subprocess.PIPE)
    found = [each["metadata"] for each in json.loads(report.stdout)["install"]]
    return {each["name"].lower(): each["version"] for each in found if each["name"] != "kruispunt"}


if __name__ == "__main__":
    lines = [f"{name}=={version}\n" for name, version in sorted(resolve().items())]
    LOCK.write_text(HEAD + "".join(lines))
