"""What one call has given to processors: kept while it lasts, and written into its record.

A call's disclosures travel with its tasks in a context variable, so that an engine shared by all calls can account for
what it gives away without every seam on the way having to pass it on. What belongs to no call cannot be accounted for,
and is therefore not given away: an engine that loses the context uses the local one, never an unwritten one.
"""

from __future__ import annotations

from contextvars import ContextVar

from anruflotse.processors.register import Category

_SPEECH = frozenset({Category.AUDIO, Category.TEXT})
_THIS_CALL: ContextVar[Disclosures | None] = ContextVar("disclosures", default=None)


class Disclosures:
    """One call's account. What the caller says may be given away only from `notice_heard` to `close` (P7, P8)."""

    def __init__(self) -> None:
        """Nothing was given, and nothing that is said may be."""
        self._given: dict[str, None] = {}
        self._heard = False
        self._closed = False

    def hold_for_this_call(self) -> None:
        """Make this the account of the running task and of every task it starts from here on."""
        _THIS_CALL.set(self)

    def notice_heard(self) -> None:
        """The caller has heard the notice to its end: what they say may now be given to a processor."""
        self._heard = True

    def close(self) -> None:
        """Nothing the caller says is given to anybody any more: they objected, or the call is over."""
        self._closed = True

    def give(self, processor: str, category: Category) -> bool:
        """Account for giving `processor` (a key) data of `category`, now. False when that must not be, and is not.

        Call it before the first byte leaves: what fails on the way may have arrived.
        """
        if category in _SPEECH and (self._closed or not self._heard):
            return False
        self._given[processor] = None
        return True

    @property
    def given(self) -> tuple[str, ...]:
        """The keys of the processors that were given something of this caller's, in the order of the first time."""
        return tuple(self._given)


def of_this_call() -> Disclosures | None:
    """The account of the call this task belongs to; None outside calls."""
    return _THIS_CALL.get()
