"""Serving inside our own event loop: a real socket on the loopback address, opened and freed."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry

from anruflotse.console import Address, ConsoleError, Health, build, serve


@pytest.fixture
def app() -> FastAPI:
    return build(lambda: "<p>Hinweis</p>", lambda: Health(ready=True), CollectorRegistry())


async def get(address: Address, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=address.url) as client:
        return await client.get(path, headers=headers)


async def test_serves_and_frees_the_port(app: FastAPI) -> None:
    async with serve(app, "127.0.0.1", 0) as address:
        assert address.port > 0
        assert address.url == f"http://127.0.0.1:{address.port}"
        answer = await get(address, "/datenschutzhinweis")
        assert (answer.status_code, answer.text) == (200, "<p>Hinweis</p>")
        assert "server" not in answer.headers
    with pytest.raises(httpx.ConnectError):
        await get(address, "/")
    async with serve(app, "127.0.0.1", address.port) as again:
        assert (await get(again, "/live")).status_code == 200


async def test_the_peer_is_the_sockets_own(app: FastAPI) -> None:
    async with serve(app, "127.0.0.1", 0) as address:
        assert (await get(address, "/metrics")).status_code == 200
        assert (await get(address, "/metrics", {"X-Forwarded-For": "198.51.100.7"})).status_code == 403


async def test_no_header_changes_the_peer() -> None:
    bare = FastAPI()

    @bare.get("/peer")
    async def peer(request: Request) -> str:
        return request.client.host if request.client else ""

    async with serve(bare, "127.0.0.1", 0) as address:
        answer = await get(address, "/peer", {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"})
    assert answer.json() == "127.0.0.1"


async def test_a_taken_port_is_told_with_a_remedy(app: FastAPI) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConsoleError, match=rf"127\.0\.0\.1:{port}: the port is taken .* Set console\.port"):
            async with serve(app, "127.0.0.1", port):
                pass


@pytest.mark.parametrize(
    ("host", "told"),
    [("192.0.2.1", "does not have the address. Set console.host"), ("nicht da", "not known here. Set console.host")],
)
async def test_an_impossible_address_is_told(app: FastAPI, host: str, told: str) -> None:
    with pytest.raises(ConsoleError, match=told):
        async with serve(app, host, 0):
            pass


async def test_the_port_is_freed_when_the_service_fails(app: FastAPI) -> None:
    async def fail() -> Address:
        async with serve(app, "127.0.0.1", 0) as address:
            where.append(address)
            message = "the service broke"
            raise RuntimeError(message)

    where: list[Address] = []
    with pytest.raises(RuntimeError, match="the service broke"):
        await fail()
    async with serve(app, "127.0.0.1", where[0].port):
        pass


async def test_ends_when_its_task_is_cancelled(app: FastAPI) -> None:
    started = asyncio.Event()

    async def forever() -> None:
        async with serve(app, "127.0.0.1", 0):
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(forever())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [t.get_name() for t in asyncio.all_tasks() if t.get_name() == "console"] == []


async def test_signals_stay_with_the_service(app: FastAPI) -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with serve(app, "127.0.0.1", 0):
        assert signal.getsignal(signal.SIGTERM) == before


async def test_nothing_about_visitors_is_logged(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with serve(app, "127.0.0.1", 0) as address:
            await get(address, "/geheimer-pfad?nummer=0301234567")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")]
    assert not [message for message in ours if "geheim" in message or "127.0.0.1" in message]


def test_an_ipv6_address_reads_well() -> None:
    assert Address("::1", 8080).url == "http://[::1]:8080"
