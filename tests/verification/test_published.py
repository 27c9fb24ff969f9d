"""The page as it comes over HTTP: as it should be, another one, none at all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from prometheus_client import CollectorRegistry

from anruflotse.app.building import make_gate, make_notice
from anruflotse.clock import SystemClock
from anruflotse.console.health import Health
from anruflotse.console.pages import build
from anruflotse.console.serving import serve
from anruflotse.processors import day_in_germany
from anruflotse.verification import publishing, spec
from anruflotse.verification.evidence import Evidence, Published
from anruflotse.verification.finding import Status
from anruflotse.verification.gathering import look_at_pages
from tests.verification.kept import broken, kept, told
from tests.verification.place import settings_in


def page_of(tmp_path: Path) -> str:
    settings = settings_in(tmp_path)
    return make_notice(settings, make_gate(settings), day_in_germany(SystemClock().now())).html()


def console(html: str) -> FastAPI:
    return build(lambda: html, lambda: Health(ready=True, parts={"sip": True}), CollectorRegistry())


async def seen(app: FastAPI, tmp_path: Path) -> tuple[Published, tuple[str, ...]]:
    """What verification sees of `app`, both as the test service's console and as the live one."""
    async with serve(app, "127.0.0.1", 0) as address:
        settings = settings_in(tmp_path)
        here = settings.model_copy(update={"console": settings.console.model_copy(update={"port": address.port})})
        published = await look_at_pages(here, SystemClock(), address.url)
        return published, await asyncio.to_thread(publishing.open_pages, address.url)


def with_pages(published: Published) -> Evidence:
    """Otherwise kept; the records name the edition that these settings make."""
    evidence = kept()
    calls = {
        name: replace(call, records=tuple(replace(r, notice_version=published.version) for r in call.records or ()))
        for name, call in evidence.calls.items()
    }
    return replace(evidence, published=published, calls=calls)


async def shown(change: Callable[[str], str], tmp_path: Path) -> Evidence:
    return with_pages((await seen(console(change(page_of(tmp_path))), tmp_path))[0])


async def test_the_page_as_it_is_keeps_the_promise_and_the_live_one_is_found(tmp_path: Path) -> None:
    evidence = await shown(str, tmp_path)
    assert evidence.published is not None
    assert evidence.published.live is not None
    assert evidence.published.live_ready == {"sip": True}
    assert broken(evidence) == set()


async def test_a_page_with_another_period_is_noticed(tmp_path: Path) -> None:
    evidence = await shown(lambda html: html.replace("28 Tage", "90 Tage"), tmp_path)
    assert broken(evidence) == {"P17"}


async def test_a_page_that_says_more_is_noticed(tmp_path: Path) -> None:
    evidence = await shown(lambda html: html.replace("</h1>", "</h1><p>Wir werten Anrufe aus.</p>"), tmp_path)
    assert broken(evidence) == {"P17"}


async def test_a_page_without_its_contact_is_noticed(tmp_path: Path) -> None:
    evidence = await shown(lambda html: html.replace("Kontakt: Datenschutzbeauftragter", "Kontakt:"), tmp_path)
    assert broken(evidence) == {"P16", "P17"}


async def test_a_page_that_runs_scripts_is_noticed(tmp_path: Path) -> None:
    evidence = await shown(lambda html: html.replace("</main>", "<script>1</script></main>"), tmp_path)
    assert broken(evidence) == {"P17"}


async def test_a_console_without_the_page_is_noticed(tmp_path: Path) -> None:
    app = FastAPI()
    published, _ = await seen(app, tmp_path)
    assert published.live is None, "that is none of our services"
    assert "P17" in told(with_pages(published), Status.BROKEN)


async def test_nobody_there_is_told_as_not_served(tmp_path: Path) -> None:
    published = await look_at_pages(settings_in(tmp_path), SystemClock(), "http://127.0.0.1:1")
    assert published.test is not None
    assert published.test.status is None
    assert "P17" in told(with_pages(published), Status.BROKEN)


async def test_staff_pages_without_sign_in_are_noticed(tmp_path: Path) -> None:
    app = console(page_of(tmp_path))

    @app.get("/aufzeichnungen")
    async def everything() -> HTMLResponse:
        return HTMLResponse("all of them")

    assert (await seen(app, tmp_path))[1] == ("/aufzeichnungen",)


async def test_the_console_as_it_is_shows_nothing_to_strangers(tmp_path: Path) -> None:
    assert (await seen(console(page_of(tmp_path)), tmp_path))[1] == ()


def test_the_yardstick_is_the_insurers_notice_word_for_word() -> None:
    original = Path(__file__).parent.parent.joinpath("notice", "notice.de.md").read_text("utf-8")
    text = " ".join(original.replace("\n", " ").split())
    words = [part for line in spec.SENTENCES for part in re.split(r"\{[a-z]*\}", line)]
    assert [one for one in words if one.strip() not in text] == []


@pytest.mark.parametrize("sentence", ["werden 14 Tage gespeichert", "werden einen Tag gespeichert"])
def test_a_period_of_days_fits_its_gap(sentence: str) -> None:
    promised = next(one for one in spec.SENTENCES if "{frist}" in one)
    assert spec.says(promised.replace("werden {frist} gespeichert", sentence), promised)


@pytest.mark.parametrize(
    "sentence", ["werden 14 Tage nicht gespeichert", "werden länger gespeichert", "werden gespeichert"]
)
def test_a_gap_is_no_room_for_other_words(sentence: str) -> None:
    promised = next(one for one in spec.SENTENCES if "{frist}" in one)
    assert not spec.says(promised.replace("werden {frist} gespeichert", sentence), promised)
