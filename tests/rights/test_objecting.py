"""Objections: what recipients are asked, what the letter says, and what can no longer be changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from anruflotse.records.model import Draft
from anruflotse.rights.model import Article, NotNowError, Scope
from anruflotse.rights.objection import Course
from anruflotse.rights.office import Filed
from anruflotse.rights.requests import Requests
from tests.rights.conftest import NUMBER, OFFICER, call, readable

Drafts = Callable[..., Draft]


def asked(desk: Requests, scope: Scope | None = None, **details: str) -> Filed:
    return desk.take_in(Article.OBJECTION, scope or Scope(number=NUMBER), OFFICER, details=details)[0]


def tasks(filed: Filed, kind: str) -> list[str]:
    return [todo.task for todo in filed.request.open_todos if todo.kind == kind]


def test_weighing_asks_recipients_to_stop_and_not_to_erase(files: Requests, make_draft: Drafts) -> None:
    record = call(files, make_draft)
    case = asked(files).id
    weighed = files.object(case, OFFICER, Course.WEIGH)
    assert len(tasks(weighed.filed, "notify")) == 2
    assert all("eingeschränkt" in task and "lösch" not in task for task in tasks(weighed.filed, "notify"))
    assert "Aristech GmbH" in weighed.files["widerspruch.html"].decode()
    kept = files.object(case, OFFICER, Course.KEEP, "Ein Gericht hat die Aufzeichnung angefordert.")
    assert tasks(kept.filed, "notify") == tasks(weighed.filed, "notify")
    (left,) = tasks(kept.filed, "check")
    assert "Sperre aus der Abwägung beenden" in left
    assert "Noch ist es gesperrt" in kept.files["widerspruch.html"].decode()
    # Weighed once more it has to be decided once more; then it may be erased all the same.
    assert any("Abwägen" in task for task in tasks(files.object(case, OFFICER, Course.WEIGH).filed, "check"))
    erased = files.object(case, OFFICER)
    assert not readable(files, record)
    assert "eine Aufzeichnung gelöscht" in erased.files["widerspruch.html"].decode()
    assert sum("Bitte auch dort löschen" in task for task in tasks(erased.filed, "notify")) == 2
    assert not any("Abwägen" in task for task in tasks(erased.filed, "check"))


def test_keeping_without_weighing_leaves_nothing_to_lift(files: Requests, make_draft: Drafts) -> None:
    call(files, make_draft)
    kept = files.object(asked(files).id, OFFICER, Course.KEEP, "Gericht")
    assert tasks(kept.filed, "check") == []
    assert "Noch ist es gesperrt" not in kept.files["widerspruch.html"].decode()


@pytest.mark.parametrize("course", [Course.KEEP, Course.WEIGH])
def test_what_is_erased_cannot_be_kept(files: Requests, make_draft: Drafts, course: Course) -> None:
    call(files, make_draft)
    case = asked(files).id
    files.object(case, OFFICER)
    with pytest.raises(NotNowError, match="erased already"):
        files.object(case, OFFICER, course, "Gericht")
    page = files.prepare(case, OFFICER).files["widerspruch.html"].decode()
    assert "behalten wir" not in page
    assert "eine Aufzeichnung gelöscht" in page


def test_an_objection_that_is_on_the_list_cannot_be_refused(files: Requests) -> None:
    case = asked(files).id
    files.object(case, OFFICER)
    with pytest.raises(NotNowError, match="done already"):
        files.refuse(case, OFFICER, "Nicht zu klären.")
    back = asked(files, course="withdrawn").id
    files.withdraw(back, OFFICER)
    with pytest.raises(NotNowError, match="done already"):
        files.refuse(back, OFFICER, "Nicht zu klären.")


def test_an_objection_that_was_not_entered_can_be_refused(files: Requests) -> None:
    case = asked(files, Scope(number="201")).id
    files.object(case, OFFICER)
    assert files.refuse(case, OFFICER, "Die Nummer ist keine.").filed.request.refused_at is not None


def test_taking_back_what_was_never_entered_says_so(files: Requests) -> None:
    page = files.withdraw(asked(files, course="withdrawn").id, OFFICER).files["widerspruch.html"].decode()
    assert "Wir haben keinen Widerspruch gefunden" in page
    assert "Ihr Widerspruch ist zurückgenommen" not in page
    assert "Sie möchten nicht, dass wir" not in page


def test_taken_back_twice_it_is_taken_back(files: Requests) -> None:
    files.object(asked(files).id, OFFICER)
    case = asked(files, course="withdrawn").id
    files.withdraw(case, OFFICER)
    again = files.withdraw(case, OFFICER)
    assert again.filed.request.details["withdrawn"] == "no"
    assert "Ihr Widerspruch ist zurückgenommen" in again.files["widerspruch.html"].decode()


@pytest.mark.parametrize(("caller", "why"), [("201", "keine vollständige Telefonnummer"), (None, "keine vorliegt")])
def test_the_letter_says_why_a_number_was_not_entered(
    files: Requests, make_draft: Drafts, caller: str | None, why: str
) -> None:
    record = call(files, make_draft, caller=caller)
    page = " ".join(
        files.object(asked(files, Scope(record=record)).id, OFFICER).files["widerspruch.html"].decode().split()
    )
    assert "Bitte widersprechen Sie im Anruf selbst" in page
    assert [one in page for one in ("keine vollständige Telefonnummer", "keine vorliegt")] == [
        one == why for one in ("keine vollständige Telefonnummer", "keine vorliegt")
    ]
