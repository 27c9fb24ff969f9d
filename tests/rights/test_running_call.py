"""Requests that come in while the person is on the telephone: the call goes on, and nothing of it stays."""

from __future__ import annotations

import pytest

from anruflotse.app.adapters import RecordKeeper
from anruflotse.conversation.actions import Prompt
from anruflotse.lines.line import Outcome
from anruflotse.rights.model import Article, Scope
from anruflotse.rights.requests import Requests
from tests.call.desk import Desk
from tests.records.conftest import Home
from tests.rights.conftest import HOUSE, OFFICER, readable

CALLER = "030 123456"
"""The number of the caller at the desk, as an officer would type it."""


@pytest.mark.parametrize("article", [Article.ERASURE, Article.OBJECTION])
async def test_a_call_that_goes_on_is_erased_with_the_others(home: Home, article: Article) -> None:
    phone = Desk("Pflegegrad", "Krankengeld", outcomes=(None,))
    store = home.open(phone.clock)
    keeper = RecordKeeper(store)
    assert keeper.probe()
    object.__setattr__(phone.equipment, "keeper", keeper)
    office = Requests(store, phone.clock, HOUSE)
    await phone.rings()
    await phone.prompt_ends(Prompt.NOTICE, Prompt.QUESTION)
    await phone.says(seconds=3)
    await phone.prompt_ends(Prompt.CONNECT)
    # What was said is in memory, and the department's telephone rings.
    phone.clock.advance(1)
    filed, _ = office.take_in(article, Scope(number=CALLER), OFFICER, identified="Rückruf")
    done = office.erase(filed.id, OFFICER) if article is Article.ERASURE else office.object(filed.id, OFFICER)
    assert done.filed.request.records == ()
    phone.clock.advance(1)
    phone.leg.settle(Outcome.SUCCEEDED)
    await phone.settle()
    assert phone.over
    assert store.status().records == 1
    answered = office.answer(filed.id, OFFICER, "am Telefon")
    (record,) = answered.request.records
    assert not readable(office, record)
    assert store.status().records == 0
    assert [(one["record"], one["readable"]) for one in office.evidence(answered, OFFICER) if "record" in one] == [
        (record, False)
    ]
    # The department took the call before anybody could stop it, so it has to be told.
    assert [todo.recipient for todo in answered.request.open_todos] == ["pflegekasse"]
    store.close()
