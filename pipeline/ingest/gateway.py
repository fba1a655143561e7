"""The ingest gateway: vendors push reads and frames over HTTP; 202 means that Kafka has them.

``POST /ingest/{format}`` takes a body of that feed, or a form with the body and pictures; ``POST /ingest/frame``
takes an image. Both want the token of `Settings.gateway_token`, as a bearer token, in ``X-Api-Token``, or as the
password of Basic, which is all that some cameras can do. What cannot be read is answered with a problem document
(RFC 9457) and kept in ``anpr.rejects``. Without Kafka the gateway is up all the same, answers 503, and connects
as soon as it can: a sender that gets 503 sends again, one that gets no answer may not.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pipeline import telemetry, topics
from pipeline.errors import FeedError, UnavailableError
from pipeline.ingest.feeds import FEEDS
from pipeline.ingest.feeds.base import Feed, Posted, take
from pipeline.ingest.feeds.fields import camera_of, moment_ns
from pipeline.ingest.feeds.form import parse_multipart, parse_urlencoded
from pipeline.ingest.feeds.reads import patch_of
from pipeline.ingest.pictures import fitting_jpeg
from pipeline.model import Capture, PlateRead, RejectReason, derive_id
from pipeline.serve import serve
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher

log = logging.getLogger(__name__)

ACKNOWLEDGE_TIMEOUT_S: Final = 5.0
"""Longest wait for Kafka; cameras give up on an answer after 10 s or more, and then send again."""
BODY_TIMEOUT_S: Final = 20.0
"""Longest wait for a body: the largest, 2 MiB, over a camera's uplink of 1 Mbit/s. Who is slower than that, or
has gone, must not keep a place."""
FIRST_CONNECT_S: Final = 5.0
"""How long the start waits for Kafka before the gateway goes up without it."""
RECONNECT_S: Final = 1.0
STOP_S: Final = 3.0
RETRY_AFTER_S: Final = "1"


class Problem(Exception):
    """An answer other than 202, as a problem document. Its detail holds nothing of a plate: it may be logged."""

    def __init__(
        self, status: int, detail: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.field = status, detail, field
        self.headers = dict(headers or {})
        if status in (429, 503):
            self.headers["Retry-After"] = RETRY_AFTER_S
        if status == 401:
            self.headers["WWW-Authenticate"] = 'Basic realm="kruispunt", charset="UTF-8"'
        if status in (408, 413):
            # The rest of the body is not read.
            self.headers["Connection"] = "close"

    def response(self, request: Request) -> JSONResponse:
        """Make the response, and count it."""
        telemetry.MESSAGES.labels("gateway", str(self.status)).inc()
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": request.url.path,
        }
        if self.field is not None:
            body["field"] = self.field
        return JSONResponse(body, self.status, self.headers, media_type="application/problem+json")


class Gateway:
    """What the routes share: the connection to Kafka, the token, and how many requests are under way."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.publisher: Publisher | None = None
        self._in_flight = 0
        self._lost, self._closing = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Hold a connection to Kafka, or go on trying, until the end of the block."""
        tried = asyncio.Event()
        keeping = asyncio.create_task(self._keep_connected(tried))
        await _wait(tried, FIRST_CONNECT_S)
        try:
            yield
        finally:
            self._closing.set()
            self._lost.set()
            await asyncio.wait({keeping}, timeout=STOP_S)
            keeping.cancel()
            await asyncio.wait({keeping}, timeout=STOP_S)

    async def _keep_connected(self, tried: asyncio.Event) -> None:
        while not self._closing.is_set():
            try:
                await topics.ensure_topics(self.settings)
                async with Publisher(self.settings) as publisher:
                    self._lost.clear()
                    self.publisher = publisher
                    tried.set()
                    await self._lost.wait()
                    self.publisher = None
            except Exception as error:
                # Whatever it was, senders are told to come back, and the next attempt may go better.
                log.warning("no connection to Kafka; trying again: %s", error)
            tried.set()
            await _wait(self._closing, RECONNECT_S)

    def authorise(self, request: Request) -> None:
        """Refuse a request without the token."""
        expected = self.settings.gateway_token.get_secret_value().encode("utf-8", "surrogateescape")
        given = _token(request)
        if not expected or given is None or not secrets.compare_digest(given, expected):
            raise Problem(401, "present the gateway's token (LIK_GATEWAY_TOKEN)")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Take one of the places under way, or refuse."""
        if self.publisher is None:
            raise Problem(503, "the gateway has no connection to Kafka; send it again a little later")
        if self._in_flight >= self.settings.gateway_max_in_flight:
            raise Problem(429, "the pipeline is behind; send it again a little later")
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    async def body(self, request: Request) -> bytes:
        """Read the body: never more than the limit, never longer than `BODY_TIMEOUT_S`."""
        limit = self.settings.gateway_max_body_bytes
        too_large = Problem(413, f"a body is at most {limit} bytes (LIK_GATEWAY_MAX_BODY_BYTES)")
        announced = request.headers.get("content-length", "")
        if announced.isascii() and announced.isdecimal() and (len(announced) > 15 or int(announced) > limit):
            raise too_large
        parts, size = [], 0
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                async for part in request.stream():
                    size += len(part)
                    if size > limit:
                        raise too_large
                    parts.append(part)
        except TimeoutError:
            raise Problem(408, f"the body did not come within {BODY_TIMEOUT_S:.0f} s") from None
        return b"".join(parts)

    async def publish(
        self,
        topic: str,
        messages: list[PlateRead] | list[Capture],
        refused: list[tuple[FeedError, bytes]],
        source: str,
    ) -> None:
        """Send what is good and keep what is not; return when Kafka has acknowledged all of it."""
        publisher = self.publisher
        if publisher is None:
            raise Problem(503, "the connection to Kafka was lost; send it again")
        try:
            async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT_S):
                sent = [await publisher.send(topic, message, key=message.camera) for message in messages]
                sent += [await _reject(publisher, error, payload, source) for error, payload in refused]
                for future in sent:
                    future.add_done_callback(_heed)
                # Shielded: what was handed over is not taken back; when it comes twice, its id is the same.
                await asyncio.gather(*(asyncio.shield(future) for future in sent))
        except TimeoutError:
            # With a limit on what is in flight, it is the consumers that are behind, not Kafka that is away.
            if not self.settings.kafka_in_flight_bytes:
                self._lost.set()
            raise Problem(503, "Kafka has not acknowledged in time; send it again") from None
        except (UnavailableError, KafkaError) as error:
            if isinstance(error.__cause__, MessageSizeTooLargeError):
                detail = f"larger than a message may be, {self.settings.kafka_max_message_bytes} bytes in base64"
                raise Problem(413, f"{detail} (LIK_KAFKA_MAX_MESSAGE_BYTES)") from None
            # A producer that has failed for good refuses everything after it: get another.
            self._lost.set()
            raise Problem(503, "Kafka has not acknowledged; send it again") from error


def _heed(future: asyncio.Future[Any]) -> None:
    """Take note of a failure that comes when nobody waits any more, so that it is not logged as overlooked."""
    if not future.cancelled():
        future.exception()


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({waiting}, timeout=timeout_s)
    waiting.cancel()


async def _reject(publisher: Publisher, error: FeedError, payload: bytes, source: str) -> Any:
    return await publisher.reject(
        RejectReason(error.reason), str(error), stage="gateway", payload=payload, field=error.field, source=source
    )


def _token(request: Request) -> bytes | None:
    """Return the token's bytes as they came: starlette reads headers as Latin-1, a token may be UTF-8."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip().encode("latin-1")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return None
    given = request.headers.get("x-api-token")
    return None if given is None else given.encode("latin-1")


def create_app(settings: Settings) -> FastAPI:
    """Make the gateway's ASGI application."""
    gateway = Gateway(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with gateway.connected():
            yield

    app = FastAPI(
        title="Kruispunt ingest gateway", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.gateway = gateway
    _answer_problems(app)

    @app.post("/ingest/frame", status_code=202)
    async def ingest_frame(request: Request) -> JSONResponse:
        gateway.authorise(request)
        async with gateway.place():
            return await _take_frame(gateway, request)

    @app.post("/ingest/{name}", status_code=202)
    async def ingest(name: str, request: Request) -> JSONResponse:
        gateway.authorise(request)
        feed = FEEDS.get(name)
        if feed is None:
            raise Problem(404, f"no format of that name; there are: {', '.join(sorted(FEEDS))}, and frame")
        async with gateway.place():
            return await _take_feed(gateway, feed, request)

    @app.get("/health")
    async def health() -> JSONResponse:
        connected = gateway.publisher is not None
        return JSONResponse({"kafka": connected}, 200 if connected else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return PlainTextResponse(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def _answer_problems(app: FastAPI) -> None:
    """Answer every refusal with a problem document."""

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> JSONResponse:
        return error.response(request)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        return Problem(error.status_code, str(error.detail), headers=error.headers).response(request)

    @app.exception_handler(ClientDisconnect)
    async def on_hang_up(request: Request, error: ClientDisconnect) -> JSONResponse:
        return Problem(400, "the sender hung up within the body").response(request)

    @app.exception_handler(Exception)
    async def on_defect(request: Request, error: Exception) -> JSONResponse:
        return Problem(500, "the gateway failed; its log says why").response(request)


async def _take_feed(gateway: Gateway, feed: Feed, request: Request) -> JSONResponse:
    received_ns = telemetry.now_ns()
    raw = await gateway.body(request)
    try:
        posted = _posted(feed, raw, request.headers.get("content-type", ""))
    except FeedError as error:
        await gateway.publish(topics.READS, [], [(error, raw)], feed.name)
        raise Problem(400, str(error), field=error.field) from None
    taken = take(feed, posted.message)
    trail = {Stamp.RECEIVED.value: received_ns, Stamp.READ_SENT.value: telemetry.now_ns()}
    reads = [msgspec.structs.replace(read, trail=trail) for read in taken.reads]
    if len(reads) == 1:
        beside = {"patch": patch_of(posted.patch), "picture": posted.picture}
        reads = [msgspec.structs.replace(reads[0], **{name: jpeg for name, jpeg in beside.items() if jpeg})]
    if any(read.picture for read in reads):
        # Decoding is the one thing here that takes long.
        reads = await asyncio.to_thread(_with_fitting_pictures, reads)
    await gateway.publish(topics.READS, reads, taken.refused, feed.name)
    telemetry.MESSAGES.labels("gateway", "read").inc(len(reads))
    first_error = taken.refused[0][0] if taken.refused else None
    if first_error is not None and not reads:
        raise Problem(400, str(first_error), field=first_error.field)
    answer: dict[str, Any] = {
        "accepted": len(reads),
        "rejected": len(taken.refused),
        "read_ids": [read.read_id for read in reads],
    }
    if first_error is not None:
        answer["first_error"] = {"detail": str(first_error), "field": first_error.field}
    return JSONResponse(answer, 202)


def _with_fitting_pictures(reads: list[PlateRead]) -> list[PlateRead]:
    return [msgspec.structs.replace(read, picture=fitting_jpeg(read.picture)) for read in reads]


def _posted(feed: Feed, raw: bytes, content_type: str) -> Posted:
    """Take the feed's message, and the pictures beside it, out of a body, which may be a form."""
    kind = content_type.lower()
    if kind.startswith("multipart/"):
        return feed.form.split(parse_multipart(raw, content_type))
    # Many a client says urlencoded of whatever it posts: only what looks like a form is read as one.
    if kind.startswith("application/x-www-form-urlencoded") and raw.startswith(f"{feed.form.message}=".encode()):
        return feed.form.split(parse_urlencoded(raw))
    return Posted(raw)


async def _take_frame(gateway: Gateway, request: Request) -> JSONResponse:
    received_ns = telemetry.now_ns()
    image = await gateway.body(request)
    try:
        camera, captured_at_ns = _frame_query(request.query_params)
        if not image:
            raise FeedError("the body is empty; send the image's bytes", field="")
    except FeedError as error:
        await gateway.publish(topics.FRAMES, [], [(error, image)], "frame")
        raise Problem(400, str(error), field=error.field) from None
    capture = Capture(
        capture_id=derive_id("capture", "frame", camera, captured_at_ns),
        camera=camera,
        captured_at_ns=captured_at_ns,
        image=image,
        source="gateway",
        trail={Stamp.RECEIVED.value: received_ns, Stamp.FRAME_SENT.value: telemetry.now_ns()},
    )
    await gateway.publish(topics.FRAMES, [capture], [], "frame")
    telemetry.MESSAGES.labels("gateway", "frame").inc()
    return JSONResponse({"accepted": 1, "rejected": 0, "capture_id": capture.capture_id}, 202)


def _frame_query(values: Mapping[str, str]) -> tuple[str, int]:
    for name in ("camera", "captured_at"):
        if name not in values:
            raise FeedError(f"{name} is missing from the address (?camera=...&captured_at=...)", field=name)
    # A blank between date and time may be meant; one behind them was a plus.
    if " " in values["captured_at"][11:]:
        raise FeedError("captured_at holds a blank; in an address the + of an offset is %2B", field="captured_at")
    return camera_of(values["camera"], "camera"), moment_ns(values["captured_at"], "captured_at")


async def run(settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Serve the gateway until `stop`."""
    await serve(create_app(settings), settings.gateway_host, settings.gateway_port, stop=stop, ready=ready)
