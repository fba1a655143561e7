"""Scripts and styles: under a path that names their content, compressed, and kept for good by browsers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI

from console.assets import ASSETS, Assets
from console.web import HERE
from tests.console.conftest import browse


async def test_a_page_names_what_browsers_may_keep_for_good(app: FastAPI) -> None:
    async with browse(app) as client:
        page = await client.get("/sign-in")
        addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
        assert addresses
        for address in addresses:
            answer = await client.get(address)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.content == (HERE / "static" / address.rsplit("/", 1)[1]).read_bytes()
            again = await client.get(address, headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")


async def test_what_is_not_this_version_is_asked_for_again(app: FastAPI) -> None:
    async with browse(app) as client:
        for path in ("/static/live.js", f"/static/{'0' * 16}/live.js"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
        for path in ("/static/none.js", f"/static/{ASSETS.version}/none.js", f"/static/{ASSETS.version}/"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/static/live.js")).status_code == 405


async def test_what_is_worth_it_is_compressed_for_who_takes_it(app: FastAPI) -> None:
    async with browse(app) as client:
        plain = await client.get("/static/live.js", headers={"Accept-Encoding": "identity"})
        packed = await client.get("/static/live.js", headers={"Accept-Encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.headers["content-type"].startswith("text/javascript")


def test_another_content_is_another_version(tmp_path: Path) -> None:
    (tmp_path / "one.js").write_text("export const a = 1;")
    before = Assets(tmp_path)
    (tmp_path / "one.js").write_text("export const a = 2;")
    after = Assets(tmp_path)
    assert before.version != after.version
    assert after.address("one.js") == f"/static/{after.version}/one.js"
    with pytest.raises(LookupError, match=r"two\.js"):
        after.address("two.js")


def test_every_script_that_the_live_page_needs_is_asked_for_at_once() -> None:
    page = (HERE / "templates" / "live.html").read_text()
    named = set(re.search(r"for name in \[([^\]]+)\]", page)[1].replace('"', "").split(", ")) | {"live"}  # type: ignore[index]
    wanted, seen = ["live"], set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        source = (HERE / "static" / f"{name}.js").read_text()
        wanted += [
            each for each in re.findall(r'^import .*from "\./(\w+)\.js"', source, re.MULTILINE) if each not in seen
        ]
    assert named == seen
