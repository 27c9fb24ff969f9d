"""The public pages, and what only programs on this machine may ask."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from anruflotse.console import Health, build
from anruflotse.notice import Facts, Notice


class House:
    """The console with everything behind it, asked as a client at any address would."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.health = Health(ready=True, parts={"sip": True})
        self.broken = False
        registry = CollectorRegistry()
        Counter("calls", "Calls taken.", registry=registry).inc(3)
        self.app = build(self.notice, lambda: self.health, registry)

    def notice(self) -> str:
        if self.broken:
            message = "secret inside"
            raise RuntimeError(message)
        return Notice(self.facts).html()

    async def ask(
        self, path: str, peer: str = "127.0.0.1", method: str = "GET", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://voicebot.example") as client:
            return await client.request(method, path, headers=headers)


@pytest.fixture
def house() -> House:
    return House()


async def test_the_notice_is_public(house: House) -> None:
    answer = await house.ask("/datenschutzhinweis", peer="198.51.100.7")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text == Notice().html()


async def test_the_notice_follows_the_running_system(house: House) -> None:
    house.facts = Facts(retention_days=7)
    assert "werden 7 Tage gespeichert" in (await house.ask("/datenschutzhinweis")).text


async def test_home_says_what_runs_here_and_links_the_notice(house: House) -> None:
    answer = await house.ask("/", peer="198.51.100.7")
    assert answer.status_code == 200
    assert '<html lang="de">' in answer.text
    assert "automatischer Sprachassistent" in answer.text
    assert 'href="/datenschutzhinweis"' in answer.text


@pytest.mark.parametrize(
    ("path", "method", "peer", "status"),
    [
        ("/", "GET", "198.51.100.7", 200),
        ("/datenschutzhinweis", "GET", "198.51.100.7", 200),
        ("/gibt-es-nicht", "GET", "198.51.100.7", 404),
        ("/", "POST", "198.51.100.7", 405),
        ("/metrics", "GET", "198.51.100.7", 403),
        ("/live", "GET", "127.0.0.1", 200),
        ("/docs", "GET", "127.0.0.1", 404),
        ("/openapi.json", "GET", "127.0.0.1", 404),
    ],
)
async def test_every_answer_is_guarded(house: House, path: str, method: str, peer: str, status: int) -> None:
    answer = await house.ask(path, peer, method)
    assert answer.status_code == status
    check_headers(answer)


def check_headers(answer: httpx.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    for style in re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL):
        assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/gibt-es-nicht"])
async def test_pages_are_self_contained(house: House, path: str) -> None:
    text = (await house.ask(path)).text
    assert text.count("<style>") == 1
    assert not re.search(r"<script|<link|<img|https?:|style=", text)


async def test_not_found_is_told_in_german(house: House) -> None:
    answer = await house.ask("/gibt-es-nicht/<script>")
    assert answer.status_code == 404
    assert "<h1>Seite nicht gefunden</h1>" in answer.text
    assert "script" not in answer.text


async def test_wrong_method_says_what_is_possible(house: House) -> None:
    answer = await house.ask("/datenschutzhinweis", method="POST")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert "nur gelesen" in answer.text


@pytest.mark.parametrize("path", ["/", "/datenschutzhinweis", "/live", "/ready", "/metrics"])
async def test_head_is_answered(house: House, path: str) -> None:
    assert (await house.ask(path, method="HEAD")).status_code == 200


async def test_a_fault_shows_no_traceback(house: House) -> None:
    house.broken = True
    answer = await house.ask("/datenschutzhinweis")
    assert answer.status_code == 500
    assert "<h1>Störung</h1>" in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    check_headers(answer)


async def test_live(house: House) -> None:
    assert (await house.ask("/live")).json() == {"live": True}


async def test_ready_follows_the_service(house: House) -> None:
    answer = await house.ask("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "parts": {"sip": True}})
    house.health = Health(ready=False, parts={"sip": True, "records": False})
    answer = await house.ask("/ready")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "parts": {"sip": True, "records": False}})


async def test_metrics(house: House) -> None:
    answer = await house.ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "calls_total 3.0" in answer.text


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
async def test_programs_on_this_machine_may_ask(house: House, path: str, peer: str) -> None:
    assert (await house.ask(path, peer)).status_code == 200


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics"])
@pytest.mark.parametrize(
    "peer",
    ["198.51.100.7", "10.0.0.1", "0.0.0.0", "2001:db8::1", "::ffff:10.0.0.1", "localhost", ""],  # noqa: S104
)
async def test_strangers_may_not(house: House, path: str, peer: str) -> None:
    answer = await house.ask(path, peer)
    assert answer.status_code == 403
    assert "<h1>Kein Zugriff</h1>" in answer.text
    assert "calls_total" not in answer.text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_headers_make_no_stranger_local(house: House, header: str) -> None:
    value = "for=127.0.0.1" if header == "Forwarded" else "127.0.0.1"
    assert (await house.ask("/metrics", "198.51.100.7", headers={header: value})).status_code == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_what_a_proxy_on_this_machine_passes_on_is_not_local(house: House, header: str) -> None:
    assert (await house.ask("/metrics", "127.0.0.1", headers={header: "127.0.0.1"})).status_code == 403
