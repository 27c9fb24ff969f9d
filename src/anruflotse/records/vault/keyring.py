"""The master keys at hand: the one to wrap with now, and those that older keys are still wrapped with."""

from __future__ import annotations

from typing import Protocol

from anruflotse.records.model import StoreError
from anruflotse.records.vault.master import Master


class UnknownMasterError(StoreError):
    """Something is wrapped with a master key that is not at hand."""


class Keyring(Protocol):
    """Where master keys come from. Both methods look again whether the source changed: rotation needs no restart."""

    def current(self) -> Master:
        """The master key to wrap with. Raises `StoreError` when its source is not reachable or not safe."""
        ...

    def find(self, master_id: str) -> Master:
        """The master key of this name. Raises `UnknownMasterError` when it is not at hand, `StoreError`."""
        ...


class SingleKeyring:
    """One master key, for good."""

    def __init__(self, master: Master) -> None:
        """Hold `master`."""
        self._master = master

    def current(self) -> Master:
        """See `Keyring.current`."""
        return self._master

    def find(self, master_id: str) -> Master:
        """See `Keyring.find`."""
        if master_id != self._master.id:
            raise unknown(master_id)
        return self._master


def unknown(master_id: str) -> UnknownMasterError:
    """The error for a master key that is not at hand."""
    return UnknownMasterError(
        f"The master key does not fit: there are keys wrapped with the master key {master_id}, which is not at hand. "
        "Provide the key they were made with."
    )
