"""The registry of cameras: who may deliver captures, and where each camera stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from pipeline.errors import ConfigurationError


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """One registered camera."""

    id: str
    name: str
    latitude: float
    """Degrees north, WGS 84."""
    longitude: float
    """Degrees east, WGS 84."""
    heading: float = 0.0
    """Where it looks, degrees clockwise from north."""
    municipality: str = ""
    zone: str = ""
    """Police zone or sector; suppression of repeated sightings is per zone. Empty: the municipality."""

    @property
    def area(self) -> str:
        """The zone, or the municipality where no zone is given."""
        return self.zone or self.municipality


def load_cameras(path: Path) -> Mapping[str, Camera]:
    """Read a ``cameras.json`` (a JSON list of cameras) into a mapping by id.

    Raises
    ------
    ConfigurationError
        The file is missing, is no list of cameras, or names one id twice.
    """
    try:
        cameras = msgspec.json.decode(path.read_bytes(), type=list[Camera])
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); set LIK_CAMERAS") from error
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{path}: not a list of cameras: {error}") from error
    registry: dict[str, Camera] = {}
    for camera in cameras:
        if camera.id in registry:
            raise ConfigurationError(f"{path}: camera {camera.id!r} is listed twice; ids are unique")
        registry[camera.id] = camera
    return registry
