"""Hikvision's XML, and what XML can do to a parser."""

from __future__ import annotations

import pytest

from pipeline.errors import FeedError
from pipeline.ingest.feeds.hikvision import FEED, parse
from pipeline.model import Box
from tests.ingest.feeds.sample_files import sample

SAMPLE = sample("hikvision.xml")
PLATE = b"<licensePlate>1KLD593</licensePlate>"


def swap(old: bytes, new: bytes) -> bytes:
    assert old in SAMPLE
    return SAMPLE.replace(old, new)


def test_the_sample_is_read_exactly() -> None:
    (read,) = parse(SAMPLE)
    assert (read.camera, read.captured_at_ns) == ("GROTE-MARKT-3", 1_773_522_257_847_000_000)
    assert (read.text, read.plate, read.confidence) == ("1KLD593", "1KLD593", 0.87)
    # The maker's own number for a country says nothing that can be relied on.
    assert read.country == ""
    assert read.characters == [
        {"1": 0.99},
        {"K": 0.99},
        {"L": 0.93},
        {"D": 0.98},
        {"5": 0.99},
        {"9": 0.99},
        {"3": 0.9},
    ]
    assert read.box == Box(x=430, y=275, w=106, h=65)
    assert read.patch is None


@pytest.mark.parametrize(
    "namespace", [b"", b' xmlns="http://www.hikvision.com/ver20/XMLSchema"', b' xmlns="urn:psialliance-org"']
)
def test_the_namespace_does_not_matter(namespace: bytes) -> None:
    assert parse(swap(b' xmlns="http://www.isapi.org/ver20/XMLSchema"', namespace)) == parse(SAMPLE)


def test_a_prefix_does_not_matter() -> None:
    body = (
        b'<h:EventNotificationAlert xmlns:h="x"><h:dateTime>2026-03-14T22:04:17.847+01:00</h:dateTime>'
        b"<h:channelName>GROTE-MARKT-3</h:channelName><h:ANPR><h:licensePlate>1KLD593</h:licensePlate></h:ANPR>"
        b"</h:EventNotificationAlert>"
    )
    (read,) = parse(body)
    assert read.read_id == parse(SAMPLE)[0].read_id
    assert (read.confidence, read.characters, read.box) == (None, None, None)


@pytest.mark.parametrize(("before", "after"), [(b"\r\n", b"\r\n"), (b"  \n", b""), (b"\xef\xbb\xbf", b"\n")])
def test_what_stands_around_the_document_does_not_matter(before: bytes, after: bytes) -> None:
    assert parse(before + SAMPLE + after) == parse(SAMPLE)


def test_other_encodings_are_read() -> None:
    text = SAMPLE.decode().replace("UTF-8", "UTF-16")
    assert parse(text.encode("utf-16")) == parse(SAMPLE)


def test_without_a_channel_name_the_camera_is_its_mac_address() -> None:
    assert parse(swap(b"<channelName>GROTE-MARKT-3</channelName>", b""))[0].camera == "02:00:5e:10:04:31"
    body = swap(b"<channelName>GROTE-MARKT-3</channelName>", b"<channelName></channelName>")
    with pytest.raises(FeedError) as caught:
        parse(body.replace(b"<macAddress>02:00:5e:10:04:31</macAddress>", b""))
    assert caught.value.field == "channelName"


@pytest.mark.parametrize("text", [b"unknown", b"noPlate", b"noplate"])
def test_a_vehicle_without_a_plate_is_no_read(text: bytes) -> None:
    assert parse(swap(PLATE, b"<licensePlate>" + text + b"</licensePlate>")) == []


def test_a_plate_that_looks_like_a_word_is_a_plate() -> None:
    assert parse(swap(PLATE, b"<licensePlate>UNKNOWN</licensePlate>"))[0].plate == "UNKNOWN"


def test_other_events_are_no_reads() -> None:
    body = SAMPLE[: SAMPLE.index(b"<ANPR>")] + SAMPLE[SAMPLE.index(b"</ANPR>") + 7 :]
    assert parse(body.replace(b"<eventType>ANPR<", b"<eventType>videoloss<")) == []
    with pytest.raises(FeedError) as caught:
        parse(body)
    assert caught.value.field == "ANPR"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (PLATE, b"", "ANPR.licensePlate"),
        (PLATE, b"<licensePlate/>", "ANPR.licensePlate"),
        (PLATE, b"<licensePlate>" + b"1" * 65 + b"</licensePlate>", "ANPR.licensePlate"),
        (PLATE, b"<licensePlate>1K&#x85;&#x2028;&#x200b;LD</licensePlate>", "ANPR.licensePlate"),
        (b"<dateTime>2026-03-14T22:04:17.847+01:00</dateTime>", b"", "dateTime"),
        (b"2026-03-14T22:04:17.847+01:00", b"", "dateTime"),
        (b"2026-03-14T22:04:17.847+01:00", b"2026-03-14T22:04:17.847", "dateTime"),
        (b"2026-03-14T22:04:17.847+01:00", b"1970-01-01T01:00:17+01:00", "dateTime"),
        (b">87<", b">870<", "ANPR.confidenceLevel"),
        (b">87<", b">nan<", "ANPR.confidenceLevel"),
        (b">87<", b">inf<", "ANPR.confidenceLevel"),
        (b">87<", b">high<", "ANPR.confidenceLevel"),
        (b">GROTE-MARKT-3<", b">" + b"c" * 129 + b"<", "channelName"),
        (b">GROTE-MARKT-3<", b">a&#x9;b<", "channelName"),
        (b"EventNotificationAlert", b"Something", ""),
    ],
)
def test_a_wrong_field_is_named(old: bytes, new: bytes, field: str) -> None:
    with pytest.raises(FeedError) as caught:
        parse(swap(old, new))
    assert caught.value.field == field


@pytest.mark.parametrize(
    "beliefs", [b"", b"99,99", b"99,99,93,98,99,99,900", b"99,99,93,98,99,99,0", b"99,99,93,98,99,99,x", b",,,,,,"]
)
def test_beliefs_that_do_not_fit_the_text_are_left_out(beliefs: bytes) -> None:
    (read,) = parse(swap(b"99,99,93,98,99,99,90", beliefs))
    assert (read.plate, read.characters) == ("1KLD593", None)


@pytest.mark.parametrize("side", [b"-5", b"1e3", b"", b"999999999999999999999"])
def test_a_rectangle_that_is_none_is_left_out(side: bytes) -> None:
    assert parse(swap(b"<X>430</X>", b"<X>" + side + b"</X>"))[0].box is None


BOMBS = [
    b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;">]>'
    b"<EventNotificationAlert>&y;</EventNotificationAlert>",
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><EventNotificationAlert>&x;</EventNotificationAlert>',
    b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><EventNotificationAlert/>',
    b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]><EventNotificationAlert/>',
    b"<!DOCTYPE EventNotificationAlert><EventNotificationAlert/>",
    b"<EventNotificationAlert>&undefined;</EventNotificationAlert>",
]


@pytest.mark.parametrize("body", BOMBS)
def test_document_types_and_entities_are_refused(body: bytes) -> None:
    for attempt in (body, body.decode().encode("utf-16")):
        with pytest.raises(FeedError):
            parse(attempt)
        with pytest.raises(FeedError):
            FEED.shift_time(attempt, 1)


def test_no_error_repeats_what_was_in_the_document() -> None:
    for body in (swap(PLATE, b"<licensePlate>&amp;1KLD593;</wrong>"), swap(PLATE, b"&x1KLD593;")):
        with pytest.raises(FeedError) as caught:
            parse(body)
        assert "1KLD593" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"", b"<", b"\x00\x01", b"{}", b'<?xml version="1.0" encoding="utf-7"?><a/>', b"\xff\xfe<"]
)
def test_what_is_no_xml_is_refused(body: bytes) -> None:
    with pytest.raises(FeedError):
        parse(body)


def test_a_very_deep_document_does_no_harm() -> None:
    deep = b"<EventNotificationAlert>" + b"<a>" * 18_000 + b"</a>" * 18_000 + b"</EventNotificationAlert>"
    with pytest.raises(FeedError):
        parse(deep)
    with pytest.raises(FeedError, match="deep"):
        FEED.shift_time(deep, 1)


def test_what_is_far_larger_than_an_event_is_not_read() -> None:
    large = swap(b"<pictureInfoList>", b"<pictureInfoList>" + b"<p/>" * 40_000)
    with pytest.raises(FeedError, match="bytes of XML"):
        parse(large)
