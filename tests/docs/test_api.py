"""docs/api.md: every example is run, every call and every problem it names exists, and none is left out."""

import asyncio
import json
import re
import shlex

from gateway.api.problems import _STATUS
from gateway.outcome import EventRaised
from tests.support.commandline import ROOT
from tests.support.desk import in_process, start_answer

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
UPSTREAM = '[[upstream]]\nname = "u"\nurl = "http://127.0.0.1:9/"\n'

ANSWERS = {  # what a willing pile says to each order: type of the answer, body behind its number
    0x36: (0x35, lambda order: order.body[7:8] + b"\1\0"),
    0x42: (0x41, lambda order: order.body[8:16] + b"\0"),
    0x44: (0x43, lambda order: b"\1\0"),
    0x46: (0x45, lambda order: b"".join(order.body[at : at + 8] + b"\1\0" for at in range(8, len(order.body), 8))),
    0x48: (0x47, lambda order: b"".join(order.body[at : at + 8] + b"\1" for at in range(8, len(order.body), 8))),
    0x52: (0x51, lambda order: b"\1"),
    0x56: (0x55, lambda order: order.body[7:]),
    0x58: (0x57, lambda order: b"\1"),
    0x62: (0x63, lambda order: order.body[7:8] + b"\1" + bytes(4)),
    0x92: (0x91, lambda order: b"\1"),
}


async def obey(pile):
    """Answer whatever is ordered."""
    done = 0
    while True:
        for order in pile.heard[done:]:
            done += 1
            if order.kind in ANSWERS:
                kind, tail = ANSWERS[order.kind]
                pile.answer(kind, order, tail(order))
            elif order.kind == 0x34:
                pile.send(start_answer(pile, order.body[:16].hex(), order.body[23], order.sequence))
        await asyncio.sleep(0.005)


def examples():
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    lines = [line.split(" #")[0] for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("curl ")]


def request_of(line, words):
    for name, value in words.items():
        line = line.replace(f"${name}", value)
    method, headers, body, url = "GET", {}, None, None
    parts = iter(shlex.split(line)[1:])
    for part in parts:
        if part == "-X":
            method = next(parts)
        elif part == "-H":
            name, _, value = next(parts).partition(": ")
            headers[name] = value
        elif part == "-d":
            body = next(parts)
        elif part != "-N":
            url = part
    return method, url, headers, body


def test_every_example_does_what_it_says(tmp_path):
    async def story():
        async with in_process(tmp_path, more=UPSTREAM) as (desk, app):
            pile = await desk.pile(1)
            obeying = asyncio.create_task(obey(pile))
            app.store.writer.submit([EventRaised("e1", "pilegate.test", "s", "s", 1_000, {})]).result(10)
            made = await desk.post(f"/piles/{pile.pile_id}/connectors/2/start", {"balance": "9.00"}, 202)
            words = {"URL": f"{desk.url}/api/v1", "TOKEN": desk.token, "PILE": pile.pile_id,
                     "TX": made["transaction_id"]}  # fmt: skip
            await desk.get("/piles")
            for line in examples():
                method, url, headers, body = request_of(line.replace("http://127.0.0.1:8080", desk.url), words)
                if url.endswith("/events"):
                    async with desk.stranger.stream(method, url, headers=headers) as reply:
                        assert reply.status_code == 200
                    continue
                content = None if body is None else body.encode()
                reply = await desk.stranger.request(method, url, headers=headers, content=content)
                assert reply.status_code < 300, (line, reply.status_code, reply.text)
                await desk._hold_to_contract(reply)
            obeying.cancel()
            await asyncio.gather(obeying, return_exceptions=True)

    asyncio.run(story())


def test_the_page_and_the_document_name_the_same_calls(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            return await desk.document()

    document = asyncio.run(story())
    families = {path.removeprefix("/api/v1").split("/")[1] for path in document["paths"]}
    orders = {path.rsplit("/", 1)[-1] for path in document["paths"] if path.startswith("/api/v1/piles/{pile_id}/")}
    for name in families | orders:
        assert f"/{name}" in PAGE, f"/{name} is not on the page"
    for name in re.findall(r"`(?:GET |POST )?/([a-z]+)", PAGE):
        assert any(f"/{name}" in path for path in document["paths"]) or name == "openapi", f"/{name} does not exist"


def test_every_problem_is_listed():
    source = "".join(path.read_text() for path in (ROOT / "gateway" / "api").glob("*.py"))
    codes = set(re.findall(r'(?:Problem|answer|body_of)\(\s*\d{3}, "([a-z_]+)"', source)) | set(_STATUS)
    assert len(codes) > 20
    missing = {code for code in codes if f"`{code}`" not in PAGE}
    assert not missing


def test_the_problem_in_the_page_is_one():
    shown = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.S)[1])
    assert set(shown) == {"type", "title", "status", "detail"}
