"""Forms as cameras post them, whole and broken."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import Form
from pipeline.ingest.feeds.form import parse_multipart, parse_urlencoded
from tests.ingest.feeds.sample_files import sample

BOUNDARY = "---------------------------7e13971310878"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(*parts: tuple[str, bytes], end: bytes = f"--{BOUNDARY}--\r\n".encode()) -> bytes:
    """A form as a camera writes it: each part named as its file."""
    body = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
        f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in parts
    )
    return body + end


XML = sample("hikvision.xml")
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 3 + b"\r\n--x\r\n\xff\xd9"
CAMERA = form(("anpr.xml", XML), ("licensePlatePicture.jpg", JPEG), ("detectionPicture.jpg", JPEG * 40))
HIKVISION = Form("*.xml", "licenseplatepicture*", ("vehiclepicture*", "detectionpicture*"))


def test_parts_come_out_byte_for_byte() -> None:
    parts = parse_multipart(CAMERA, TYPE)
    assert [(part.name, part.filename, part.complete) for part in parts] == [
        ("anpr.xml", "anpr.xml", True),
        ("licensePlatePicture.jpg", "licensePlatePicture.jpg", True),
        ("detectionPicture.jpg", "detectionPicture.jpg", True),
    ]
    assert [part.data for part in parts] == [XML, JPEG, JPEG * 40]
    assert HIKVISION.split(parts) == (XML, JPEG, JPEG * 40)


def test_of_several_pictures_the_vehicles_is_taken() -> None:
    order = (("detectionPicture.jpg", JPEG * 2), ("vehiclePicture.jpg", JPEG * 3), ("anpr.xml", XML))
    assert HIKVISION.split(parse_multipart(form(*order), TYPE)) == (XML, None, JPEG * 3)


def test_a_boundary_may_be_quoted_and_a_part_be_named_by_its_file() -> None:
    body = form(("anpr.xml", XML)).replace(b'name="anpr.xml";', b'name="xml_file";', 1)
    (part,) = parse_multipart(body, f'Multipart/Form-Data; charset=x; boundary="{BOUNDARY}"')
    assert part.name == "xml_file"
    assert HIKVISION.split([part]) == (XML, None, None)


def test_a_name_is_found_in_any_case() -> None:
    parts = parse_multipart(form(("ANPR.XML", XML), ("LicensePlatePicture.JPG", JPEG)), TYPE)
    assert HIKVISION.split(parts) == (XML, JPEG, None)


def test_a_picture_that_breaks_off_does_not_cost_the_message() -> None:
    parts = parse_multipart(CAMERA[: CAMERA.index(JPEG) + 400], TYPE)
    assert HIKVISION.split(parts) == (XML, None, None)


def test_damage_behind_the_message_does_not_cost_it() -> None:
    body = form(("anpr.xml", XML)).removesuffix(f"--{BOUNDARY}--\r\n".encode())
    parts = parse_multipart(body + f"--{BOUNDARY}\r\nbroken header\x00\r\n\r\n".encode(), TYPE)
    assert HIKVISION.split(parts) == (XML, None, None)


def test_a_message_that_breaks_off_is_refused() -> None:
    for length in range(0, CAMERA.index(XML) + len(XML), 40):
        with pytest.raises(FeedError):
            HIKVISION.split(parse_multipart(CAMERA[:length], TYPE))


def test_a_form_without_the_message_names_what_is_missing() -> None:
    with pytest.raises(FeedError) as caught:
        Form().split(parse_multipart(CAMERA, TYPE))
    assert caught.value.field == "json"


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 300],
)
def test_a_form_without_a_boundary_that_can_be_used_is_refused(content_type: str) -> None:
    with pytest.raises(FeedError):
        parse_multipart(CAMERA, content_type)


def test_parts_without_end_are_not_collected() -> None:
    assert len(parse_multipart(form(*[("a", b"")] * 10_000), TYPE)) == 16


def test_header_lines_without_end_are_not_collected() -> None:
    body = f"--{BOUNDARY}\r\nX: ".encode() + b"a" * 1_000_000
    (part,) = parse_multipart(body, TYPE)
    assert not part.complete


@settings(deadline=None)
@given(body=st.binary(max_size=600), content_type=st.text(st.characters(max_codepoint=255), max_size=60))
@example(body=CAMERA[:900], content_type=TYPE)
def test_any_bytes_are_parts_or_refused(body: bytes, content_type: str) -> None:
    for kind in (content_type, TYPE, "multipart/form-data; boundary=a"):
        with contextlib.suppress(FeedError):
            assert parse_multipart(body, kind)


@settings(deadline=None)
@given(data=st.data())
def test_a_form_with_bytes_changed_is_parts_or_refused(data: st.DataObject) -> None:
    body = bytearray(CAMERA[:4000])
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + 2] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(FeedError):
        message = HIKVISION.split(parse_multipart(bytes(body), TYPE))
        assert message


def test_urlencoded_fields_come_out() -> None:
    parts = parse_urlencoded(b"json=%7B%22plate%22%3A+%22%C3%A9%22%7D&x=")
    assert [(part.name, part.data) for part in parts] == [("json", '{"plate": "é"}'.encode()), ("x", b"")]
    assert Form().split(parts) == ('{"plate": "é"}'.encode(), None, None)


@pytest.mark.parametrize("body", [b"json=%FF", "json=é".encode(), b"&".join([b"a=b"] * 17)])
def test_what_is_not_urlencoded_is_refused(body: bytes) -> None:
    with pytest.raises(FeedError):
        parse_urlencoded(body)
