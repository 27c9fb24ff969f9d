"""The demonstration itself, with a small cast: real calls, real speech, the table and the verdict."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from anruflotse.demo import playing
from anruflotse.demo.cast import CAST
from anruflotse.departments.catalogue import shipped
from anruflotse.settings import load
from tests.calls.bot import free_port

pytestmark = pytest.mark.calls


async def test_callers_phone_and_the_table_tells_what_became_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    catalogue = tmp_path / "departments.yaml"
    catalogue.write_text(shipped().replace("127.0.0.1:5090", f"127.0.0.1:{port}"), "utf-8")
    monkeypatch.setattr(playing, "PHONE_PORT", port)
    monkeypatch.setattr(playing, "CAST", (CAST[0], CAST[2]))
    shown = io.StringIO()
    monkeypatch.setattr(playing, "Console", lambda: Console(file=shown, width=120))
    overrides = {
        "data": tmp_path / "data", "sip.port": 0, "console.port": 0, "departments.catalogue": catalogue,
    }  # fmt: skip
    assert await playing.play_demo(load(None, overrides, environ={}), once=True)
    told = shown.getvalue()
    assert "2 of 2 calls ended where they must." in told
    assert "kundenservice" in told
    assert "Gesundheitskarte" in told
    assert "1 records were added" in told
    assert "No caller's number is readable on disk" in told
