from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from anruflotse.records.vault.config import TransitConfig
from anruflotse.records.vault.transit import TransitKeyring
from tests.records.vault.faking import FakeVault

MakeRing = Callable[..., TransitKeyring]


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    """HashiCorp's, not ours."""
    server = FakeVault()
    yield server
    server.close()


@pytest.fixture
def make_ring(vault: FakeVault) -> MakeRing:
    def make(**changes: object) -> TransitKeyring:
        fields: dict[str, object] = {"address": vault.address, "token": "hvs.ROOT", "timeout_seconds": 0.3}
        return TransitKeyring(TransitConfig(**(fields | changes)))  # type: ignore[arg-type]

    return make
