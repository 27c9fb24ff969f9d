"""The desk for requests on a store in each kind of database, and calls to put into it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Draft, NotFoundError
from anruflotse.records.repository import Records
from anruflotse.rights.house import House
from anruflotse.rights.requests import Requests
from tests.records.conftest import (
    clock,
    databases,
    directory,
    each_store,
    home,
    make_draft,
    server,
    store,
    templates,
    tmp_path,
)

__all__ = [
    "clock",
    "databases",
    "directory",
    "each_store",
    "home",
    "make_draft",
    "server",
    "store",
    "templates",
    "tmp_path",
]

OFFICER = Accessor("Frau Beispiel", Role.PRIVACY)
SPEECH = Accessor("Herr Ton", Role.SPEECH)
NUMBER = "+49 30 1234567"
SAID = "Kanarienvogel wartet auf sein Krankengeld."
HOUSE = House(
    departments={"krankengeld": "Krankengeld und Familie"},
    concerns={"krankengeld": "Frage zum Krankengeld"},
    processors={"aristech": "Aristech GmbH", "vitaservices": "vitaservices GmbH & Co. KG"},
)

Call = Callable[..., str]


@pytest.fixture
def desk(each_store: Records, clock: FakeClock) -> Requests:
    """On both databases."""
    return Requests(each_store, clock, HOUSE)


@pytest.fixture
def files(store: Records, clock: FakeClock) -> Requests:
    """On files only, for what does not depend on the database."""
    return Requests(store, clock, HOUSE)


def call(desk: Requests, make_draft: Callable[..., Draft], **changes: object) -> str:
    """A call that was recorded, and handed to a department; the id of its record."""
    given: dict[str, object] = {"caller": NUMBER, "transcripts": (SAID,), "processors": ("aristech",)}
    return desk.office.records.seal(make_draft(**(given | changes)))


def readable(desk: Requests, record_id: str) -> bool:
    """Whether anybody can read the record."""
    try:
        desk.office.records.open(record_id, OFFICER, "betroffenenrechte")
    except NotFoundError:
        return False
    return True


def text(files: dict[str, bytes] | object, name: str) -> str:
    """A file of an answer as text."""
    assert isinstance(files, dict)
    content = files[name]
    assert isinstance(content, bytes)
    return content.decode()
