"""The parts of a form, as cameras and vendors post them beside their pictures.

Parsed in memory: starlette's own form parser would write a larger picture to disk, and a picture of a passer-by
must not get there.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pipeline.errors import FeedError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MAX_PARTS: Final = 16
_NO_FORM: Final = "the body is not the form that its content type says"


@dataclass(slots=True)
class FormPart:
    """One part of a form; `complete` once the boundary behind it was seen."""

    name: str = ""
    filename: str = ""
    data: bytes = b""
    complete: bool = False


def parse_multipart(body: bytes, content_type: str) -> list[FormPart]:
    """Take a ``multipart/form-data`` body apart.

    What lies behind damage is lost, what came before it is kept: a picture that breaks off does not cost the
    read.

    Raises
    ------
    FeedError
        There is no boundary, or no part.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise FeedError("the content type of the form names no boundary", field="")
    collector = _Collector()
    with contextlib.suppress(FormParserError):
        MultipartParser(boundary, collector.callbacks()).write(body)
    if not collector.parts:
        raise FeedError(_NO_FORM, field="")
    return collector.parts


def parse_urlencoded(body: bytes) -> list[FormPart]:
    """Take an ``application/x-www-form-urlencoded`` body apart.

    Raises
    ------
    FeedError
        It is none, or has more fields than any vendor sends.
    """
    try:
        fields = parse_qsl(body.decode("ascii"), True, max_num_fields=_MAX_PARTS, errors="strict")
    except ValueError:
        raise FeedError(_NO_FORM, field="") from None
    return [FormPart(name=name, data=value.encode(), complete=True) for name, value in fields]


class _Collector:
    """What the parser calls back, put together as parts."""

    def __init__(self) -> None:
        self.parts: list[FormPart] = []
        self._header, self._value = b"", b""
        self._data: list[bytes] = []

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._take_header,
            "on_header_value": self._take_value,
            "on_header_end": self._end_header,
            "on_part_data": self._take_data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) == _MAX_PARTS:
            raise FormParserError("more parts than any vendor sends")
        self.parts.append(FormPart())
        self._data = []

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            options = parse_options_header(self._value)[1]
            part = self.parts[-1]
            part.name = options.get(b"name", b"").decode("utf-8", "replace")
            part.filename = options.get(b"filename", b"").decode("utf-8", "replace")
        self._header, self._value = b"", b""

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _end(self) -> None:
        self.parts[-1].data = b"".join(self._data)
        self.parts[-1].complete = True
