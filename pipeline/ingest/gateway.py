"""The ingest gateway: vendors push reads and frames over HTTP; 202 means that Kafka has them.

``POST /ingest/{format}`` takes a body of that feed; ``POST /ingest/frame`` takes an image. Both want the token
of `Settings.gateway_token`, as a bearer token, in ``X-Api-Token``, or as the password of Basic, which is all
that some cameras can do. What cannot be read is answered with a problem document (RFC 9457) and kept in
``anpr.rejects``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from pipeline import telemetry, topics
from pipeline.errors import FeedError, UnavailableError
from pipeline.ingest.feeds import FEEDS
from pipeline.ingest.feeds.base import Feed, moment_ns, text_of
from pipeline.model import Capture, PlateRead, RejectReason, derive_id
from pipeline.serve import serve
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher

ACKNOWLEDGE_TIMEOUT_S: Final = 5.0
RETRY_AFTER_S: Final = "1"


class Problem(Exception):
    """An answer other than 202, as a problem document."""

    def __init__(self, status: int, title: str, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.field = status, title, detail, field

    def response(self, instance: str) -> JSONResponse:
        """Make the response."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
        }
        if self.field is not None:
            body["field"] = self.field
        headers = {}
        if self.status in (429, 503):
            headers["Retry-After"] = RETRY_AFTER_S
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="kruispunt", charset="UTF-8"'
        return JSONResponse(body, self.status, headers, media_type="application/problem+json")


class Gateway:
    """What the routes share: the publisher, the token, and how many requests are under way."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.publisher: Publisher | None = None
        self._in_flight = 0

    def authorise(self, request: Request) -> None:
        """Refuse a request without the token."""
        expected = self.settings.gateway_token.get_secret_value()
        given = _token(request)
        if not expected or given is None or not secrets.compare_digest(given.encode(), expected.encode()):
            raise Problem(401, "Not authorised", "present the gateway's token (LIK_GATEWAY_TOKEN)")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Take one of the places under way, or refuse."""
        if self._in_flight >= self.settings.gateway_max_in_flight:
            raise Problem(429, "Too many requests", "the pipeline is behind; send it again a little later")
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    async def body(self, request: Request) -> bytes:
        """Read the body, never more than the limit."""
        limit = self.settings.gateway_max_body_bytes
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise Problem(413, "Too large", f"a body is at most {limit} bytes (LIK_GATEWAY_MAX_BODY_BYTES)")
            parts.append(part)
        return b"".join(parts)

    async def reject(self, error: FeedError, payload: bytes, source: str) -> None:
        """Keep what could not be read."""
        detail = f"{error.field or 'body'}: cannot be read as {source}"
        await self._acknowledged(
            [
                self._publisher.reject(
                    RejectReason(error.reason),
                    detail,
                    stage="gateway",
                    payload=payload,
                    field=error.field,
                    source=source,
                )
            ]
        )

    async def publish(self, topic: str, messages: list[PlateRead] | list[Capture]) -> None:
        """Send, and return when Kafka has acknowledged all."""
        await self._acknowledged([self._send(topic, message) for message in messages])

    async def _send(self, topic: str, message: PlateRead | Capture) -> None:
        await (await self._publisher.send(topic, message, key=message.camera))

    @property
    def _publisher(self) -> Publisher:
        if self.publisher is None:
            raise Problem(503, "Kafka is away", "the gateway has no connection to Kafka; send it again later")
        return self.publisher

    @staticmethod
    async def _acknowledged(sends: list[Any]) -> None:
        try:
            async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT_S):
                await asyncio.gather(*sends)
        except (TimeoutError, UnavailableError, KafkaError) as error:
            raise Problem(503, "Kafka is away", "not acknowledged in time; send it again") from error


def _token(request: Request) -> str | None:
    header = request.headers.get("authorization", "")
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return request.headers.get("x-api-token")


def create_app(settings: Settings) -> FastAPI:
    """Make the gateway's ASGI application."""
    gateway = Gateway(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Publisher(settings) as publisher:
            gateway.publisher = publisher
            yield
            gateway.publisher = None

    app = FastAPI(title="Kruispunt ingest gateway", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.gateway = gateway

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> JSONResponse:
        telemetry.MESSAGES.labels("gateway", str(error.status)).inc()
        return error.response(request.url.path)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        return Problem(error.status_code, "Refused", str(error.detail)).response(request.url.path)

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
            known = ", ".join(sorted(FEEDS))
            raise Problem(404, "Unknown format", f"no format of that name; there are: {known}, and frame")
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


async def _take_feed(gateway: Gateway, feed: Feed, request: Request) -> JSONResponse:
    received_ns = telemetry.now_ns()
    payload = await _feed_body(gateway, request)
    reads: list[PlateRead] = []
    first_error: FeedError | None = None
    refused = 0
    try:
        parts = feed.split(payload)
    except FeedError:
        parts = [payload]
    for part in parts:
        try:
            reads += feed.parse(part)
        except FeedError as error:
            first_error = first_error or error
            refused += 1
            await gateway.reject(error, part, feed.name)
    if first_error is not None and not reads:
        raise Problem(400, "Cannot be read", str(first_error), field=first_error.field)
    sent_ns = telemetry.now_ns()
    trail = {Stamp.RECEIVED.value: received_ns, Stamp.READ_SENT.value: sent_ns}
    await gateway.publish(topics.READS, [_with_trail(read, trail) for read in reads])
    telemetry.MESSAGES.labels("gateway", "read").inc(len(reads))
    answer: dict[str, Any] = {
        "accepted": len(reads),
        "rejected": refused,
        "read_ids": [read.read_id for read in reads],
    }
    if first_error is not None:
        answer["first_error"] = {"detail": str(first_error), "field": first_error.field}
    return JSONResponse(answer, 202)


def _with_trail(read: PlateRead, trail: dict[str, int]) -> PlateRead:
    return msgspec.structs.replace(read, trail=trail)


async def _feed_body(gateway: Gateway, request: Request) -> bytes:
    """Return the body, or the field ``json`` of a multipart one."""
    raw = await gateway.body(request)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return raw
    # Parsed from the bytes that the limit has already let through.
    replay = Request(request.scope, _once(raw))
    try:
        async with replay.form(max_files=8, max_fields=32) as form:
            field = form.get("json")
            if field is None:
                raise Problem(400, "Cannot be read", "the form has no field json", field="json")
            return await field.read() if isinstance(field, UploadFile) else field.encode()
    except (MultiPartException, MultipartParseError, HTTPException, KeyError) as error:
        raise Problem(400, "Cannot be read", "the multipart body is broken") from error


def _once(raw: bytes) -> Callable[[], Any]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": raw, "more_body": False}

    return receive


async def _take_frame(gateway: Gateway, request: Request) -> JSONResponse:
    received_ns = telemetry.now_ns()
    values = {**request.query_params}
    try:
        camera = text_of(values.get("camera", ""), "camera", 128)
        captured_at_ns = moment_ns(values.get("captured_at", ""), "captured_at")
    except FeedError as error:
        raise Problem(400, "Cannot be read", str(error), field=error.field) from error
    image = await gateway.body(request)
    if not image:
        raise Problem(400, "Cannot be read", "the body is empty; send the image's bytes", field="")
    capture = Capture(
        capture_id=derive_id("capture", "frame", camera, captured_at_ns),
        camera=camera,
        captured_at_ns=captured_at_ns,
        image=image,
        source="gateway",
        trail={Stamp.RECEIVED.value: received_ns, Stamp.FRAME_SENT.value: telemetry.now_ns()},
    )
    await gateway.publish(topics.FRAMES, [capture])
    telemetry.MESSAGES.labels("gateway", "frame").inc()
    return JSONResponse({"accepted": 1, "rejected": 0, "capture_id": capture.capture_id}, 202)


async def run(settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Serve the gateway until `stop`."""
    await serve(create_app(settings), settings.gateway_host, settings.gateway_port, stop=stop, ready=ready)
