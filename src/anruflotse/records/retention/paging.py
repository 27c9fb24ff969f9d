"""Going through a table a page at a time, in an order in which what stays behind is not met again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from anruflotse.records.stores.keystore import START, Place

_Item = TypeVar("_Item")
_Mark = TypeVar("_Mark")


def pages(page: Callable[[str], list[str]]) -> Iterator[list[str]]:
    """Pages of ids; `page` is asked for the one beyond an id."""
    return _pages(page, "", lambda last: last)


def places(page: Callable[[Place], list[Place]]) -> Iterator[list[str]]:
    """Pages of ids in the order of their expiry; `page` is asked for the one beyond an expiry and id."""
    return ([record_id for _, record_id in found] for found in _pages(page, START, lambda last: last))


def _pages(page: Callable[[_Mark], list[_Item]], start: _Mark, mark: Callable[[_Item], _Mark]) -> Iterator[list[_Item]]:
    after = start
    while found := page(after):
        yield found
        # An id that is no text is told in other letters than it is sorted by, and could be "beyond itself" for ever.
        if mark(found[-1]) == after:
            return
        after = mark(found[-1])
