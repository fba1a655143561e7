"""The admin endpoint of the hotlists: what `hotlists.desk` does, over HTTP. docs/hotlists.md describes it.

The console mounts it under ``/api/hotlists`` and brings `authorise`, which says who acts and what they may do.
"""

# Annotations are not postponed here: FastAPI looks them up among a module's names, and `actor` is a function's.

import csv
import io
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.types import Message, Receive

from hotlists import shapes
from hotlists.desk import Desk
from hotlists.exports import spreadsheet_safe
from hotlists.people import Actor
from hotlists.problems import BadRequestError, DeskError
from hotlists.uploads import received

MAX_BODY_BYTES: Final = 65_536
"""Largest body that is no upload."""
Answer = TypeVar("Answer", bound=Response)

PROBLEM: Final = "application/problem+json"
_CSV: Final = "text/csv; charset=utf-8"
_STATUSES: Final = {
    400: "What was given cannot be used",
    401: "Nobody is signed in, and no token is presented, or an unknown one",
    403: "The rights of the asker do not go that far",
    404: "There is no such list or version, or none that the asker may know of",
    409: "Not as things are now: another came first, or a second confirmation is needed",
    413: "The body is too large",
    422: "A parameter or a field is not what it must be",
    503: "Redis or the audit trail does not answer; nothing was done",
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": text, "content": {PROBLEM: {"schema": shapes.Problem.model_json_schema()}}}
    for status, text in _STATUSES.items()
}
_FILE: Final = {"schema": {"type": "string", "format": "binary"}}
_UPLOAD: Final = {
    "requestBody": {
        "required": True,
        "description": "CSV, NDJSON or XLSX, gzip or not; what it is, is found out by its content.",
        "content": {
            "text/csv": _FILE,
            "application/x-ndjson": _FILE,
            "application/gzip": _FILE,
            "application/octet-stream": _FILE,
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _FILE,
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE["schema"]}}
            },
        },
    }
}

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="The list.")]
Number = Annotated[int, Path(ge=1, le=shapes.MAX_NUMBER, description="The version.")]
Why = Annotated[str, Query(min_length=1, max_length=500, pattern=shapes.REASON, description="For the trail.")]


def problem(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """Answer with a problem document (RFC 9457); `more` are members of its own."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type=PROBLEM)


class _Route(APIRoute):
    """A route whose body is small, unless it is an upload, and that answers what the desk refuses."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()
        upload = self.openapi_extra is not None

        async def handle(request: Request) -> Response:
            if not upload:
                request = Request(request.scope, _bounded(request.receive))
            try:
                return await inner(request)
            except DeskError as error:
                return problem(error.status, error.title, error.detail, code=error.code, **error.more)

        return handle


def _bounded(receive: Receive) -> Receive:
    size = 0

    async def receive_little() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, f"a body is at most {MAX_BODY_BYTES} bytes here")
        return message

    return receive_little


def router(
    desk: Callable[[], Desk], authorise: Callable[..., Awaitable[Actor]], *, upload_bytes: int
) -> APIRouter:
    """Make the endpoint's routes.

    Parameters
    ----------
    desk
        Gives the desk at the time of a request.
    authorise
        FastAPI dependency that returns who acts, or refuses.
    upload_bytes
        Largest upload that is taken, as it is sent.
    """
    routes = APIRouter(
        tags=["hotlists"],
        route_class=_Route,
        responses=_ANSWERS,
        # For the description alone: `authorise` decides.
        dependencies=[
            Depends(HTTPBearer(auto_error=False, description="An API token")),
            Depends(APIKeyCookie(name="kruispunt", auto_error=False, description="The console's session")),
        ],
    )
    actor = Annotated[Actor, Depends(authorise)]
    _add_lists(routes, desk, actor)
    _add_staging(routes, desk, actor, upload_bytes)
    _add_versions(routes, desk, actor)
    _add_entries(routes, desk, actor)
    return routes


def _add_lists(routes: APIRouter, desk: Callable[[], Desk], actor: Any) -> None:
    @routes.get("")
    async def show_lists(who: actor) -> list[shapes.ListShape]:
        """Give every list that the asker may know of, and how it stands."""
        return await desk().register.lists(who)

    @routes.get("/health")
    async def show_health(who: actor) -> shapes.Health:
        """Say which lists are stale, how far the workers are, and whether Redis is there; 200 where it is not."""
        return await desk().register.health(who)

    @routes.get("/workers")
    async def show_workers(who: actor) -> dict[str, int]:
        """Give the snapshot version that each living match worker holds."""
        return await desk().register.workers(who)

    @routes.get("/{name}")
    async def show_list(name: Name, who: actor) -> shapes.ListShape:
        """Give one list."""
        return await desk().register.show(who, name)

    @routes.put("/{name}", responses={201: {"model": shapes.ListShape, "description": "It is made"}})
    async def create_list(name: Name, metadata: shapes.Metadata, who: actor, answer: Response) -> shapes.ListShape:
        """Make a list; 200 where exactly this one is there already. To change one, PATCH it."""
        if metadata.name not in (None, name):
            raise BadRequestError("metadata", f"the body is of another list than {name!r}")
        shape, made = await desk().register.create(who, metadata.hotlist(name))
        answer.status_code = 201 if made else 200
        return shape

    @routes.patch("/{name}")
    async def describe_list(
        name: Name,
        changes: shapes.Changes,
        who: actor,
        why: Why,
        open_covert: Annotated[bool, Query(description="A covert list may become open by this.")] = False,
    ) -> shapes.ListShape:
        """Change some of a list's metadata; what is left out stays as it is."""
        return await desk().register.describe(who, name, changes.given(), why=why.strip(), open_covert=open_covert)

    @routes.post("/{name}/archive")
    async def archive_list(name: Name, body: shapes.Reason, who: actor) -> shapes.ListShape:
        """Take a list out of use: nothing of it is matched from then on."""
        return await desk().register.archive(who, name, why=body.why)

    @routes.post("/{name}/restore")
    async def restore_list(name: Name, body: shapes.Reason, who: actor) -> shapes.ListShape:
        """Take an archived list back into use; nothing of it is live yet."""
        return await desk().register.restore(who, name, why=body.why)


def _add_staging(routes: APIRouter, desk: Callable[[], Desk], actor: Any, upload_bytes: int) -> None:
    @routes.post("/{name}/staged", status_code=201, openapi_extra=_UPLOAD)
    async def upload(
        name: Name, request: Request, who: actor, why: Why, kind: shapes.Kind = "full"
    ) -> shapes.Preview:
        """Upload a file: stage what it holds, and say what publishing that would do."""
        # Before the body: an upload that will be refused is not read.
        await desk().staging.check_upload(who, name)
        async with received(request, upload_bytes) as file:
            return await desk().staging.upload(who, name, file, kind=kind, why=why.strip())

    @routes.get("/{name}/staged")
    async def show_staged(name: Name, who: actor) -> list[shapes.Preview]:
        """Give the previews of what waits to be published, the latest first."""
        return await desk().staging.previews(who, name)

    @routes.get("/{name}/staged/{number}")
    async def show_preview(name: Name, number: Number, who: actor) -> shapes.Preview:
        """Give the preview of a staged version."""
        return await desk().staging.preview(who, name, number)

    @routes.get(
        "/{name}/staged/{number}/errors.csv",
        response_class=Response,
        responses={200: {"content": {_CSV: {"schema": {"type": "string"}}}}},
    )
    async def download_errors(name: Name, number: Number, who: actor) -> Response:
        """Give the rejected rows as CSV that a spreadsheet opens safely."""
        notes = await desk().staging.errors(who, name, number)
        return _attachment(Response(_errors_csv(notes), media_type=_CSV), f"{name}-v{number}-errors.csv")

    @routes.delete("/{name}/staged/{number}", status_code=204)
    async def discard(name: Name, number: Number, who: actor, why: Why) -> None:
        """Remove a staged version that is not to be published."""
        await desk().staging.discard(who, name, number, why=why.strip())

    @routes.post("/{name}/staged/{number}/refresh", status_code=201)
    async def refresh(name: Name, number: Number, body: shapes.Reason, who: actor) -> shapes.Preview:
        """Stage it anew, under a new number, against what is live now."""
        return await desk().staging.refresh(who, name, number, why=body.why)

    @routes.post("/{name}/staged/{number}/publish")
    async def publish(name: Name, number: Number, body: shapes.Publishing, who: actor) -> shapes.Published:
        """Make a staged version the one that is matched, in one step."""
        return await desk().staging.publish(
            who,
            name,
            number,
            why=body.why,
            expected_live=body.expected_live,
            confirm_removed=body.confirm_removed,
        )


def _add_versions(routes: APIRouter, desk: Callable[[], Desk], actor: Any) -> None:
    @routes.get("/{name}/versions")
    async def show_versions(name: Name, who: actor) -> list[shapes.VersionShape]:
        """Give the versions that are kept or staged, the latest first."""
        return await desk().register.versions(who, name)

    @routes.post("/{name}/rollback")
    async def roll_back(name: Name, body: shapes.RollingBack, who: actor) -> shapes.Published:
        """Make a kept version live again, in one step."""
        return await desk().staging.roll_back(
            who, name, body.number, why=body.why, expected_live=body.expected_live
        )

    @routes.get(
        "/{name}/export",
        response_class=StreamingResponse,
        responses={200: {"content": {_CSV: {"schema": {"type": "string"}}}}},
    )
    async def export(
        name: Name, who: actor, why: Why, version: Annotated[int | None, Query(ge=1, le=shapes.MAX_NUMBER)] = None
    ) -> StreamingResponse:
        """Give a version's entries as CSV; the live one by default."""
        pieces = await desk().entries.export(who, name, version, why=why.strip())
        answer = StreamingResponse(pieces, media_type=_CSV)
        return _attachment(answer, f"{name}.csv" if version is None else f"{name}-v{version}.csv")


def _add_entries(routes: APIRouter, desk: Callable[[], Desk], actor: Any) -> None:
    @routes.post("/{name}/entries", status_code=201)
    async def add_entry(name: Name, body: shapes.EntryGiven, who: actor) -> shapes.Changed:
        """Add an entry to what is live, at once."""
        return await desk().entries.add(who, name, body)

    @routes.post("/{name}/entries/remove")
    async def remove_entry(name: Name, body: shapes.EntryRemoved, who: actor) -> shapes.Changed:
        """Remove an entry from what is live, at once. A plate belongs in no address: so no DELETE."""
        return await desk().entries.remove(who, name, body.plate, body.country, why=body.why)

    @routes.post("/find")
    async def find(body: shapes.PlateAsked, who: actor) -> shapes.FoundAll:
        """Say on which lists a plate is, by whom, why and until when. Asking leaves a line in the trail."""
        return await desk().entries.find(who, body.plate, why=body.why)


def _errors_csv(notes: list[shapes.NoteShape]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["row", "column", "value", "reason"])
    writer.writerows(
        [str(each.row), *map(spreadsheet_safe, (each.column, each.value, each.reason))] for each in notes
    )
    return text.getvalue()


def _attachment(answer: Answer, filename: str) -> Answer:
    answer.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return answer
