"""What vendors would send of a passage: bodies of the feeds' formats, with the text as read and its rivals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from pipeline.replay import RECORDING_START_NS
from plates.normalise import normalise
from training.scenario import Passage, misread

_BRUSSELS: Final = ZoneInfo("Europe/Brussels")


@dataclass(frozen=True, slots=True)
class Sight:
    """A passage as a vendor's reader sees it: candidate texts and their confidence (0 to 1), the best first."""

    passage: Passage
    candidates: tuple[tuple[str, float], ...]
    box: tuple[int, int, int, int]
    """Left, top, width, height of the plate, in pixels."""

    @property
    def epoch_ms(self) -> int:
        """Capture time, ms since the epoch."""
        return RECORDING_START_NS // 1_000_000 + round(self.passage.at_s * 1000)

    def moment(self, zone: ZoneInfo | None = None) -> datetime:
        """Capture time, in UTC or in `zone`."""
        return datetime.fromtimestamp(self.epoch_ms / 1000, zone or UTC)


def see(passage: Passage, random: np.random.Generator) -> Sight:
    """Look at a passage as a reader does: unsure where it is wrong, with the truth among its candidates."""
    truth = normalise([passage.text])[0]
    if passage.read_as:
        best, confidence = normalise([passage.read_as])[0], float(random.uniform(0.55, 0.80))
        rivals = [truth]
    else:
        best, confidence = truth, float(random.uniform(0.86, 0.99))
        rivals = [misread(truth, random)] if random.random() < 0.6 else []
    candidates = [(best, round(confidence, 3))]
    candidates += [(rival, round((1 - confidence) * 0.7, 3)) for rival in rivals if rival != best]
    width = int(random.integers(110, 190))
    left, top = int(random.integers(200, 1500)), int(random.integers(400, 900))
    return Sight(passage, tuple(candidates), (left, top, width, width * 11 // 52))


def platerecognizer(sight: Sight) -> str:
    """Body of a Plate Recognizer Stream webhook."""
    left, top, width, height = sight.box
    camera = sight.passage.camera
    moment = sight.moment()
    filename = f"{camera}_screenshots/{moment:%y-%m-%d}/{moment:%H-%M-%S.%f}.jpg"
    best, score = sight.candidates[0]
    body = {
        "hook": {
            "target": "https://lik.pz-veldeke.example/ingest/platerecognizer",
            "id": camera,
            "event": "recognition",
            "filename": filename,
        },
        "data": {
            "camera_id": camera,
            "filename": filename,
            "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
            "timestamp_local": sight.moment(_BRUSSELS).isoformat(" ", "microseconds"),
            "results": [
                {
                    "box": {"xmin": left, "ymin": top, "xmax": left + width, "ymax": top + height},
                    "plate": best.lower(),
                    "region": {"code": sight.passage.country.lower(), "score": 0.9},
                    "score": score,
                    "candidates": [{"plate": text.lower(), "score": each} for text, each in sight.candidates],
                    "dscore": 0.78,
                    "vehicle": {"type": "Sedan", "score": 0.81},
                    "direction": 210,
                }
            ],
        },
    }
    return msgspec.json.encode(body).decode()


def rekor(sight: Sight) -> str:
    """Body of a Rekor agent's ``alpr_group``: one vehicle over several frames."""
    left, top, width, height = sight.box
    best, confidence = sight.candidates[0]
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    candidates = [
        {"plate": text, "confidence": round(100 * each, 2), "matches_template": 0}
        for text, each in sight.candidates
    ]
    body = {
        "data_type": "alpr_group",
        "version": 2,
        "epoch_start": sight.epoch_ms,
        "epoch_end": sight.epoch_ms + 480,
        "agent_uid": "AGENTVELDEKE01",
        "company_id": "pz-veldeke",
        "camera_id": int(sight.passage.camera),
        "country": "eu",
        "best_plate": {
            "plate": best,
            "confidence": round(100 * confidence, 2),
            "coordinates": [{"x": x, "y": y} for x, y in corners],
            "candidates": candidates,
        },
        "best_plate_number": best,
        "best_confidence": round(100 * confidence, 2),
        "best_plate_frames": 5,
        "best_region": sight.passage.country.lower(),
        "candidates": candidates,
        "travel_direction": 181.5,
    }
    return msgspec.json.encode(body).decode()


def hikvision(sight: Sight) -> str:
    """Body of a Hikvision camera's ``EventNotificationAlert``."""
    left, top, width, height = sight.box
    best, confidence = sight.candidates[0]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<EventNotificationAlert version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema">\n'
        "<ipAddress>10.20.8.17</ipAddress><portNo>443</portNo><protocol>HTTPS</protocol><channelID>1</channelID>\n"
        f"<dateTime>{sight.moment(_BRUSSELS).isoformat(timespec='milliseconds')}</dateTime>\n"
        "<activePostCount>1</activePostCount><eventType>ANPR</eventType><eventState>active</eventState>\n"
        f"<eventDescription>ANPR</eventDescription><channelName>{sight.passage.camera}</channelName>\n"
        f"<ANPR><country>13</country><licensePlate>{best}</licensePlate><line>1</line>"
        f"<direction>forward</direction><confidenceLevel>{round(100 * confidence)}</confidenceLevel>"
        "<plateType>unknown</plateType><plateColor>white</plateColor><vehicleType>vehicle</vehicleType>\n"
        f"<pictureInfoList><pictureInfo><fileName>detectionPicture.jpg</fileName><plateRect><X>{left}</X>"
        f"<Y>{top}</Y><width>{width}</width><height>{height}</height></plateRect></pictureInfo></pictureInfoList>"
        "</ANPR>\n</EventNotificationAlert>\n"
    )


def kruispunt(sight: Sight) -> str:
    """Body of the project's own format, with the likeliest characters per place."""
    left, top, width, height = sight.box
    best, confidence = sight.candidates[0]
    places: list[dict[str, float]] = [{} for _ in best]
    for text, score in sight.candidates:
        if len(text) == len(best):
            for place, character in zip(places, text, strict=True):
                place[character] = round(min(0.999, place.get(character, 0.0) + score), 3)
    body = {
        "camera": sight.passage.camera,
        "captured_at": sight.moment().isoformat(),
        "plate": best,
        "country": sight.passage.country,
        "confidence": confidence,
        "characters": places,
        "box": {"x": left, "y": top, "w": width, "h": height},
    }
    return msgspec.json.encode(body).decode()


def csv(sights: Sequence[Sight]) -> str:
    """A file as an old camera uploads it every so often: several passages, semicolons, local time."""
    rows = ["camera;captured_at;plate;country;confidence"]
    rows += [
        f"{each.passage.camera};{each.moment(_BRUSSELS).isoformat()};{each.passage.read_as or each.passage.text}"
        f";{each.passage.country};{each.candidates[0][1]}"
        for each in sights
    ]
    return "\n".join(rows) + "\n"


BODY: Final[Mapping[str, Callable[[Sight], str]]] = {
    "platerecognizer": platerecognizer,
    "rekor": rekor,
    "hikvision": hikvision,
    "kruispunt": kruispunt,
}
"""Formats of one body per passage; CSV has several."""
