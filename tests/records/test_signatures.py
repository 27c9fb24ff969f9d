"""What is signed for one thing passes for no other, least of all as a head of the audit trail."""

from __future__ import annotations

import base64
import json
from contextlib import closing

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from anruflotse.clock import FakeClock
from anruflotse.records.access import Accessor, Role
from anruflotse.records.audit.signing import Head, unfiled
from anruflotse.records.model import Purpose
from anruflotse.records.repository import Records
from anruflotse.records.signatures import verify_signature
from tests.records.conftest import OFFICER, Home, MakeDraft

REPORT = b'{"promise": "P1"}'


def test_a_signature_fits_what_was_signed_and_nothing_else(each_store: Records) -> None:
    made = each_store.sign(REPORT, "report")
    assert verify_signature(REPORT, "report", made.signature, made.public)
    assert not verify_signature(REPORT + b" ", "report", made.signature, made.public)
    assert not verify_signature(REPORT, "vcon", made.signature, made.public)
    assert not verify_signature(b"t/" + REPORT, "repor", made.signature, made.public)
    changed = bytes([made.signature[0] ^ 1]) + made.signature[1:]  # the last byte is often 0 anyway
    assert not verify_signature(REPORT, "report", changed, made.public)
    assert not verify_signature(REPORT, "report", b"", made.public)
    assert not verify_signature(REPORT, "report", made.signature, b"")
    assert not verify_signature(REPORT, "report", made.signature, bytes(32))
    assert len(made.key_id) == 16
    assert made.signature.hex() not in repr(made)


def test_the_key_is_the_one_of_the_audit_trail_and_outlives_rotation(
    home: Home, clock: FakeClock, make_draft: MakeDraft
) -> None:
    with closing(home.open(clock)) as store:
        made = store.sign(REPORT, "report")
        store.open(store.seal(make_draft()), OFFICER, Purpose.RIGHTS)
        head = store.trail_head()
        assert head is not None
        assert head["public_key"] == made.public.hex()
        store.rotate(Accessor("Technik", Role.OPERATIONS))
    with closing(home.open(clock)) as store:
        again = store.sign(REPORT, "report")
        # Ed25519 is deterministic (RFC 8032).
        assert again == made


def test_signing_before_anything_else_leaves_the_trail_whole(each_store: Records, make_draft: MakeDraft) -> None:
    each_store.sign(REPORT, "report")
    each_store.open(each_store.seal(make_draft()), OFFICER, Purpose.RIGHTS)
    assert each_store.verify_trail().damage == ()


def test_a_signature_never_passes_as_a_head(each_store: Records, make_draft: MakeDraft) -> None:
    each_store.open(each_store.seal(make_draft()), OFFICER, Purpose.RIGHTS)
    filed = each_store.trail_head()
    assert filed is not None
    head, key = unfiled(filed)
    forged = Head("latest", head.seq + 1, "0" * 64, head.at)
    told = forged.message()
    for prefix in (b"", b"anruflotse/", b"anruflotse/audit/", b"anruflotse/audit/head/"):
        rest = told.removeprefix(prefix)
        for domain in ("head", "audit", "report"):
            made = each_store.sign(rest, domain)
            assert not Head(forged.day, forged.seq, forged.hash, forged.at, made.signature).fits(key)
    with pytest.raises(ValueError, match="no JWS"):
        each_store.sign_jws(told)
    # Nor the other way round.
    assert head.fits(key)
    assert not verify_signature(head.message(), "head", head.signature, key.public_bytes_raw())


@pytest.mark.parametrize("domain", ["", "a/b", "../audit/head", "A", "ä", "x" * 41, "a\n", "1"])
def test_a_domain_is_a_word(store: Records, domain: str) -> None:
    with pytest.raises(ValueError, match="A domain is a word"):
        store.sign(REPORT, domain)


def test_a_jws_is_checked_with_its_signing_input_alone(each_store: Records) -> None:
    def part(value: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signing_input = part({"alg": "EdDSA"}) + b"." + part({"vcon": "0.3.0"})
    made = each_store.sign_jws(signing_input)
    key = Ed25519PublicKey.from_public_bytes(made.public)
    key.verify(made.signature, signing_input)
    with pytest.raises(InvalidSignature):
        key.verify(made.signature, signing_input + b"x")
    assert not verify_signature(signing_input, "vcon", made.signature, made.public)


@pytest.mark.parametrize("data", [b"", b".", b"a", b"a/b.c", b"a.b.c", b"a.b\n", b"anruflotse/signed/report/x.y"])
def test_what_is_no_jws_is_not_signed_as_one(store: Records, data: bytes) -> None:
    with pytest.raises(ValueError, match="no JWS signing input"):
        store.sign_jws(data)
