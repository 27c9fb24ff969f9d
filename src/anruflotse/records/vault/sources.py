"""Which master keys there are: systemd credential, environment variable, key file, HashiCorp Vault; in that order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from anruflotse.records.vault.config import TransitConfig
from anruflotse.records.vault.keyfile import FILE, KeyFile
from anruflotse.records.vault.keyring import Chain, Keyring
from anruflotse.records.vault.local import CREDENTIAL, ENVIRONMENT, Credential, FileKeyring, LocalKeyring, Variable
from anruflotse.settings.models import Keys


def keyring(
    directory: Path,
    environment: Mapping[str, str],
    *,
    may_create: bool,
    transit: TransitConfig | None = None,
    transit_first: bool = True,
) -> Keyring:
    """The ring of everything there is. Reads nothing yet; every method of the ring raises `StoreError` with a remedy.

    New keys go under the first source: Vault when `transit` is given and `transit_first`, else the systemd credential,
    else the environment variable, else the file in `directory`, which is made at its first use if it `may_create` one.
    What the other ones wrapped can still be opened, so that `keys rotate` can move it.
    """
    local: list[Keyring] = []
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    if credentials and (credential := Path(credentials) / CREDENTIAL).exists():
        local.append(LocalKeyring(Credential(credential)))
    if environment.get(ENVIRONMENT):
        local.append(LocalKeyring(Variable(environment)))
    path = directory / FILE
    elsewhere = bool(local) or (transit is not None and transit_first)
    if not elsewhere or path.is_symlink() or path.exists():
        local.append(FileKeyring(KeyFile(path, may_create=may_create and not elsewhere)))
    if transit is None:
        return _chained(local)
    # Only now: its client takes a sixth of a second to import, which every command would wait for.
    from anruflotse.records.vault.transit import TransitKeyring  # noqa: PLC0415

    vault = TransitKeyring(transit)
    return _chained([vault, *local] if transit_first else [*local, vault])


def configured(directory: Path, environment: Mapping[str, str], chosen: Keys) -> Keyring | None:
    """The ring these settings ask for; None when the record store finds all master keys on this machine by itself.

    `directory` is that of the key file. Reads nothing yet. Raises `StoreError` for an address that is not safe.
    """
    vault = chosen.vault
    if vault.address is None:
        return None
    transit = TransitConfig(
        address=vault.address,
        key=vault.key,
        mount=vault.mount,
        token=_bare(vault.token),
        token_file=vault.token_file,
        role_id=vault.role_id,
        secret_id=_bare(vault.secret_id),
        namespace=vault.namespace,
        ca_file=vault.ca_file,
    )
    # While moving away from Vault the file begins anew: what Vault wrapped is not sealed with it.
    return keyring(directory, environment, may_create=True, transit=transit, transit_first=chosen.provider == "vault")


def _bare(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _chained(rings: list[Keyring]) -> Keyring:
    return rings[0] if len(rings) == 1 else Chain(*rings)
