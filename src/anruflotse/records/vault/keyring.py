"""The master keys at hand: the one to wrap with now, and those that older keys are still wrapped with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from anruflotse.records.model import StoreError
from anruflotse.records.vault.master import Master


class UnknownMasterError(StoreError):
    """Something is wrapped with a master key that is not at hand."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A key as it may be stored, and the name of the master key that opens it."""

    data: bytes = field(repr=False)
    master: str


class Keyring(Protocol):
    """Where master keys come from. Every method looks again whether the source changed: rotation needs no restart."""

    def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """Wrap `key` with the current master key, bound to `context`. Raises `StoreError`."""
        ...

    def current(self) -> Master:
        """The master key to wrap with. Raises `StoreError` when its source is not reachable or not safe."""
        ...

    def find(self, master_id: str) -> Master:
        """The master key of this name. Raises `UnknownMasterError` when it is not at hand, `StoreError`."""
        ...

    def check(self) -> str:
        """The name of the current master key, once it is certain that it works now. Raises `StoreError`."""
        ...

    def masters(self) -> dict[str, str]:
        """The names of the master keys at hand, the current one first, and where each comes from."""
        ...

    def unfinished(self) -> bool:
        """Whether a new master key was made and the old ones have not been forgotten yet."""
        ...

    def renew(self) -> bool:
        """Make a new current master key and keep the old ones; False where only the operator can make one."""
        ...

    def forget(self, in_use: AbstractSet[str]) -> dict[str, str]:
        """Give up the old master keys that are not `in_use`; those only the operator can remove, and what to do."""
        ...

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """Keep other rotations out meanwhile. Raises `StoreError` when there is one."""
        ...


class SingleKeyring:
    """One master key, for good."""

    def __init__(self, master: Master) -> None:
        """Hold `master`."""
        self._master = master

    def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """See `Keyring.wrap`."""
        return Wrapped(self._master.wrap(key, context), self._master.id)

    def current(self) -> Master:
        """See `Keyring.current`."""
        return self._master

    def find(self, master_id: str) -> Master:
        """See `Keyring.find`."""
        if master_id != self._master.id:
            raise unknown(master_id)
        return self._master

    def check(self) -> str:
        """See `Keyring.check`."""
        return self._master.id

    def masters(self) -> dict[str, str]:
        """See `Keyring.masters`."""
        return {self._master.id: "memory"}

    def unfinished(self) -> bool:
        """See `Keyring.unfinished`."""
        return False

    def renew(self) -> bool:
        """See `Keyring.renew`."""
        return False

    def forget(self, in_use: AbstractSet[str]) -> dict[str, str]:  # noqa: ARG002 - as the seam says
        """See `Keyring.forget`."""
        return {}

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """See `Keyring.exclusive`."""
        return contextlib.nullcontext()


class Chain:
    """Several rings: everything new goes under the first one, and what the others wrapped can still be opened.

    For the move from one source of master keys to another; `anruflotse keys rotate` completes it.
    """

    def __init__(self, first: Keyring, *others: Keyring) -> None:
        """Wrap with `first` only."""
        self._first = first
        self._others = others

    def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """See `Keyring.wrap`."""
        return self._first.wrap(key, context)

    def current(self) -> Master:
        """See `Keyring.current`."""
        return self._first.current()

    def find(self, master_id: str) -> Master:
        """See `Keyring.find`."""
        for ring in (self._first, *self._others):
            with contextlib.suppress(UnknownMasterError):
                return ring.find(master_id)
        raise unknown(master_id)

    def check(self) -> str:
        """See `Keyring.check`."""
        return self._first.check()

    def masters(self) -> dict[str, str]:
        """See `Keyring.masters`; a source that is away does not hide the others."""
        first = self._first.masters()
        return first | {name: where for name, where in self._beside().items() if name not in first}

    def unfinished(self) -> bool:
        """See `Keyring.unfinished`."""
        return self._first.unfinished()

    def renew(self) -> bool:
        """See `Keyring.renew`."""
        return self._first.renew()

    def forget(self, in_use: AbstractSet[str]) -> dict[str, str]:
        """See `Keyring.forget`."""
        left = {name: f"remove {where}" for name, where in self._beside().items() if name not in in_use}
        return left | self._first.forget(in_use)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """See `Keyring.exclusive`."""
        with self._first.exclusive():
            yield

    def _beside(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for ring in self._others:
            with contextlib.suppress(StoreError):
                found |= ring.masters()
        return found


def fitting(ring: Keyring, in_use: Callable[[], Iterable[str]]) -> list[Master]:
    """The master keys of `ring` that are in use. Raises `UnknownMasterError` when one is not at hand."""
    found: list[Master] = []
    for name in in_use():
        try:
            found.append(ring.find(name))
        except UnknownMasterError:
            # A rotation may have ended in between, and given it up.
            if name in set(in_use()):
                raise
    return found


def unknown(master_id: str) -> UnknownMasterError:
    """The error for a master key that is not at hand."""
    return UnknownMasterError(
        f"The master key does not fit: there are keys wrapped with the master key {master_id}, which is not at hand. "
        "Provide the key they were made with."
    )
