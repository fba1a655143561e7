"""Recordings that come with the project; their files are described in ``README.md`` beside this."""

from pathlib import Path
from typing import Final

CROSSROADS: Final = Path(__file__).parent / "crossroads"
"""Seventy seconds on the cameras of an invented police zone; ``lik record OUT --seed 1`` makes it."""
