"""Which records a request is about: by number in any notation, id, reference, or when they were recorded."""

from __future__ import annotations

import re
import unicodedata

from anruflotse.records.access import Accessor
from anruflotse.records.model import NotFoundError, Purpose
from anruflotse.records.vault.master import TamperedError
from anruflotse.records.vault.numbers import normalised, telephone
from anruflotse.rights.model import RightsError, Scope
from anruflotse.rights.office import Office

_SUPPRESSED = re.compile(
    r"(?:sips?:)?(?:anonym(?:ous)?|unknown|unavailable|restricted|private|withheld|unterdrückt|unbekannt)(?:@.*)?"
)
"""What networks and people write in place of a number that is not shown. It is everybody's, so it names nobody."""


def find(office: Office, scope: Scope, accessor: Accessor) -> tuple[str, ...]:
    """The ids of the records, oldest first, restricted ones included; none when there are none (any more).

    A record that is damaged is among them: it can be erased. Raises `RightsError` for a number that is nobody's,
    `AccessRefusedError`, `StoreError`.
    """
    records = office.records
    if scope.number is not None:
        if is_suppressed(scope.number):
            message = (
                "A suppressed number is that of many people, so it cannot be searched for. Search by the time of the "
                "call (--from and --to), by reference or by record."
            )
            raise RightsError(message)
        return records.find_caller(scope.number, accessor, Purpose.RIGHTS)
    if scope.window is not None:
        return records.find_window(*scope.window, accessor, Purpose.RIGHTS)
    if scope.reference is not None:
        found = records.find_reference(scope.reference.casefold(), accessor, Purpose.RIGHTS)
        return () if found is None else (found,)
    record_id = (scope.record or "").casefold()
    try:
        records.open(record_id, accessor, Purpose.RIGHTS)
    except NotFoundError:
        return ()
    except TamperedError:
        return (record_id,)
    return (record_id,)


def is_suppressed(number: str) -> bool:
    """Whether it stands for a number that was not shown."""
    return _SUPPRESSED.fullmatch(number.strip().casefold()) is not None


def same(one: Scope, other: Scope) -> bool:
    """Whether two requests are about the same: numbers count as the same in every notation."""
    return _key(one) == _key(other)


def one_form(number: str) -> str:
    """A number in the form records are found by: the same for every notation, `Tel. 030 …` and `tel:+49-30-…` too."""
    return telephone(number) or normalised(number)


def same_person(one: str, other: str) -> bool:
    """Whether two names, as letters address them, may be one person's: they are alike, or one was not given."""
    return not one or not other or _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _key(scope: Scope) -> tuple[object, ...]:
    number = None if scope.number is None else one_form(scope.number)
    return number, (scope.record or "").casefold(), (scope.reference or "").casefold(), scope.window
