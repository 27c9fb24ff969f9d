"""A record as a vCon: other software can open it, and notices every change."""

from __future__ import annotations

import json
import re
import uuid
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jws
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from anruflotse.clock import FakeClock
from anruflotse.pcm import Pcm
from anruflotse.records import flac
from anruflotse.records.access import Accessor, Role
from anruflotse.records.model import Correction, Draft, Purpose, RankedConcern, Record, Summary
from anruflotse.records.repository import Records
from anruflotse.records.signatures import Signature, signed_jws
from anruflotse.rights.vcon import VconError, signed, sound, vcon, verified

with warnings.catch_warnings(record=True):  # it uses a module of authlib that says of itself that it is to go
    from vcon import Vcon

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
HEARD = Pcm(bytes(range(256)) * 50, 8000)
SAID = ("Ich warte auf mein Krankengeld.", "Ja, „genau“ 💶 <b>&</b> \ud800")


def record(**changes: object) -> Record:
    fields: dict[str, Any] = {
        "summary": Summary(
            id="ab" * 16,
            reference="cd" * 16,
            recorded_at=NOW - timedelta(days=3),
            expires_at=NOW + timedelta(days=25),
            concern="krankengeld",
            department="krankengeld",
            decision="route",
            outcome="succeeded",
            restricted=False,
        ),
        "started_at": NOW - timedelta(days=3, seconds=9),
        "target": "sip:krankengeld@127.0.0.1:5090",
        "transcripts": SAID,
        "ranking": (RankedConcern("krankengeld", "krankengeld", 0.9), RankedConcern("pflege", "pflegekasse", 0.1)),
        "evidence": ("krankengeld",),
        "explanations": ({"turn": 1},),
        "caller": "+4930123456",
        "has_recording": True,
        "recording": flac.encode(HEARD),
        "processors": ("aristech",),
        "engines": ("whisper-base",),
        "notice_version": "0123456789abcdef",
        "legal_basis": "§ 284 SGB V i. V. m. Art. 6 Abs. 1 lit. e DSGVO",
        "purpose": Purpose.FORWARDING,
    }
    return Record(**(fields | changes))


def made(**changes: object) -> dict[str, Any]:
    return vcon(record(**changes), insurer="mkk", created_at=NOW, notice="# Hinweis", objected=True)


def body(parts: list[dict[str, Any]], name: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    return next(json.loads(part["body"]) for part in parts if name in (part.get("schema"), part.get("purpose")))


def faults(given: dict[str, Any]) -> list[str]:  # noqa: C901 - one rule after the other, as the draft has them
    """What draft-ietf-vcon-vcon-core (its text and its JSON schema) has against a vCon in the unsigned form."""
    found: list[str] = []

    def want(truth: object, fault: str) -> None:
        if not truth:
            found.append(fault)

    def date(value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value) is not None

    def inline(part: dict[str, Any], name: str) -> None:
        want(isinstance(part.get("body"), str), f"{name}: body")
        want(part.get("encoding") in {"base64url", "json", "none"}, f"{name}: encoding")
        want(isinstance(part.get("mediatype"), str), f"{name}: mediatype")
        if part.get("encoding") == "json":
            json.loads(part["body"])
        if part.get("encoding") == "base64url":
            want(re.fullmatch(r"[A-Za-z0-9_-]*", part["body"]), f"{name}: not base64url")

    def index(value: object, length: int) -> bool:
        return isinstance(value, int) and 0 <= value < length

    want(given.get("vcon") == "0.4.0", "vcon")
    want(uuid.UUID(given.get("uuid", "0" * 32)).version == 8, "uuid")
    want(date(given.get("created_at")), "created_at")
    parties, dialogs = given.get("parties", []), given.get("dialog", [])
    want(parties, "parties")
    for dialog in dialogs:
        want(dialog.get("type") in {"recording", "text", "transfer", "incomplete"}, "dialog: type")
        want(date(dialog.get("start")), "dialog: start")
        want(all(index(party, len(parties)) for party in dialog["parties"]), "dialog: parties")
        want(dialog.get("mediatype") in {"text/plain", "audio/x-wav", "audio/ogg"}, "dialog: mediatype")
        if "body" in dialog or "redacted" not in given:
            inline(dialog, "dialog")
    for analysis in given["analysis"]:
        want(analysis.get("type") and analysis.get("vendor"), "analysis: type and vendor")
        want(index(analysis.get("dialog"), len(dialogs)), "analysis: dialog")
        inline(analysis, "analysis")
    for attachment in given["attachments"]:
        want(attachment.get("purpose"), "attachment: purpose")
        want(date(attachment.get("start")), "attachment: start")
        want(index(attachment.get("party"), len(parties)), "attachment: party")
        want(index(attachment.get("dialog"), len(dialogs)), "attachment: dialog")
        inline(attachment, "attachment")
    return found


def damage(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def do(given: dict[str, Any]) -> None:
        *way, last = path.split("/")
        at: Any = given
        for step in way:
            at = at[int(step) if step.isdigit() else step]
        if value is None:
            del at[last]
        else:
            at[last] = value

    return do


@pytest.mark.parametrize("changes", [{}, {"recording": None}, {"caller": None, "target": None, "transcripts": ()}])
def test_it_keeps_the_draft_and_opens_with_its_library(changes: dict[str, object]) -> None:
    given = made(**changes)
    assert faults(given) == []
    opened = Vcon.build_from_json(json.dumps(given))
    assert opened.is_valid() == (True, [])
    assert opened.uuid == given["uuid"]
    assert opened.find_analysis_by_type("transcript")["vendor"] == "Anruflotse"
    assert opened.find_attachment_by_type("lawful_basis")["encoding"] == "json"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("uuid", None),
        ("created_at", "gestern"),
        ("dialog/0/start", None),
        ("dialog/0/parties", [9]),
        ("dialog/0/mimetype", "audio/flac"),
        ("analysis/0/vendor", None),
        ("analysis/0/dialog", 7),
        ("attachments/0/encoding", "gzip"),
        ("attachments/1/body", None),
    ],
)
def test_the_library_finds_what_is_malformed(path: str, value: object) -> None:
    given = made()
    damage(path, value)(given)
    assert Vcon.validate_json(json.dumps(given))[0] is False


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("vcon", "0.0.1"),
        ("uuid", str(uuid.UUID(int=4, version=4))),
        ("dialog/0/mediatype", "audio/flac"),
        ("dialog/0/body", "+/=="),
        ("analysis/0/mediatype", None),
        ("attachments/0/purpose", None),
        ("attachments/0/party", 5),
        ("attachments/0/start", "2026"),
    ],
)
def test_the_rules_of_the_draft_find_what_is_malformed(path: str, value: object) -> None:
    given = made()
    damage(path, value)(given)
    assert faults(given)


def test_it_holds_everything_there_is_of_the_record() -> None:
    corrected = Correction(utterance=0, text="Ich warte auf mein Kinderkrankengeld.", at=NOW, accessor="Frau Beispiel")
    given = made(corrections=(corrected,), second_concern="pflege")
    assert given["parties"][0] == {"tel": "tel:+4930123456", "validation": "none"}
    assert given["parties"][2]["sip"] == "sip:krankengeld@127.0.0.1:5090"
    assert given["dialog"][0]["start"] == "2026-11-21T09:30:00Z"
    assert given["dialog"][0]["parties"] == [0]
    analysis, attachments = given["analysis"], given["attachments"]
    texts = body(analysis, "anruflotse-transcript-1")
    assert texts[0] == {"utterance": 0, "text": SAID[0]}
    assert texts[1]["text"] == "Ja, „genau“ 💶 <b>&</b> ?"
    routing = body(analysis, "anruflotse-routing-1")
    assert routing["ranking"][0] == {"concern": "krankengeld", "department": "krankengeld", "probability": 0.9}
    assert (routing["decision"], routing["second_concern"], routing["explanations"]) == (
        "route",
        "pflege",
        [{"turn": 1}],
    )
    [correction] = body(analysis, "anruflotse-corrections-1")
    assert correction == {"utterance": 0, "text": corrected.text, "at": "2026-11-24T09:30:00Z"}
    assert "Frau Beispiel" not in json.dumps(given)
    assert analysis[0]["product"] == "whisper-base"
    basis = body(attachments, "lawful_basis")
    assert basis["lawful_basis"] == "public_task"
    assert basis["expiration"] == "2026-12-19T09:30:00Z"
    assert basis["metadata"]["legal_basis"].startswith("§ 284 SGB V")
    assert body(attachments, "notice") == {"version": "0123456789abcdef", "text": "# Hinweis"}
    assert body(attachments, "objection") == {"in_call": False, "number": True, "as_of": "2026-11-24T09:30:00Z"}
    assert body(attachments, "processors") == {"given": ["aristech"]}


def test_the_sound_is_the_same_sample_for_sample() -> None:
    given = made()
    assert sound(given["dialog"][0]) == HEARD
    assert given["dialog"][0]["duration"] == 0.8
    assert "redacted" not in given


def test_sound_that_is_held_back_is_said_to_be() -> None:
    given = made(recording=None, has_recording=False)
    assert sound(given["dialog"][0]) is None
    assert "duration" not in given["dialog"][0]
    assert given["redacted"] == {"type": "recording"}


def test_passages_that_were_taken_out_are_said_to_be() -> None:
    assert vcon(record(), insurer="mkk", created_at=NOW, redacted=True)["redacted"] == {"type": "passages"}
    both = vcon(record(recording=None), insurer="mkk", created_at=NOW, redacted=True)
    assert both["redacted"] == {"type": "passages recording"}
    assert faults(both) == []


@pytest.mark.parametrize("bad", ["", "AAAA", urlsafe_b64encode(b"RIFF\x00\x00\x00\x00WAVE").decode(), 7, "ä"])
def test_sound_that_is_none_is_refused(bad: object) -> None:
    with pytest.raises(VconError):
        sound({"body": bad, "encoding": "base64url"})


def test_a_caller_without_a_number_is_told_as_the_network_told_it() -> None:
    assert made(caller="anonymous")["parties"][0] == {"name": "anonymous", "validation": "none"}
    assert made(caller=None)["parties"][0] == {"validation": "none"}
    assert made(caller='+49"><script>')["parties"][0] == {"name": '+49"><script>', "validation": "none"}


def test_the_same_record_has_the_same_uuid_and_no_two_share_one() -> None:
    assert made()["uuid"] == made()["uuid"]
    later = vcon(record(), insurer="mkk", created_at=NOW + timedelta(seconds=1))
    assert later["uuid"] != made()["uuid"]
    with pytest.raises(ValueError, match="time zone"):
        vcon(record(), insurer="mkk", created_at=NOW.replace(tzinfo=None))


KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def sign(signing_input: bytes) -> Signature:
    return signed_jws(signing_input, KEY)


def test_the_signature_holds_for_joserfc_and_for_bare_ed25519() -> None:
    data = signed(made(), sign)
    assert verified(data, PUBLIC) == json.loads(json.dumps(made()))
    given = json.loads(data)
    key = OKPKey.import_key(given["signatures"][0]["header"]["jwk"])
    uncommon = JWSRegistry({"uuid": HeaderParameter("of the draft", "str")}, ["Ed25519"])
    assert json.loads(jws.deserialize_json(given, key, registry=uncommon).payload or b"") == made()
    assert given["signatures"][0]["header"]["kid"] == key.thumbprint()
    one = given["signatures"][0]
    raw = urlsafe_b64decode(one["signature"] + "==")
    Ed25519PublicKey.from_public_bytes(PUBLIC).verify(raw, f"{one['protected']}.{given['payload']}".encode())
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(PUBLIC).verify(raw, f"{one['protected']}.{given['payload']}x".encode())


def b64(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def resigned(given: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """As a forger would do it: another key, named in the header."""
    one = given["signatures"][0]
    forged = signed_jws(f"{one['protected']}.{given['payload']}".encode(), key)
    one["signature"] = urlsafe_b64encode(forged.signature).rstrip(b"=").decode()
    one["header"]["jwk"]["x"] = urlsafe_b64encode(forged.public).rstrip(b"=").decode()
    return given


@pytest.mark.parametrize(
    "change",
    [
        lambda given: given | {"payload": b64(made(caller="+4930999999"))},
        lambda given: given | {"payload": given["payload"][:-4]},
        lambda given: given | {"payload": "!"},
        lambda given: given | {"signatures": []},
        lambda given: given | {"signatures": given["signatures"] * 2},
        lambda given: given | {"signatures": [given["signatures"][0] | {"signature": ""}]},
        lambda given: given | {"signatures": [given["signatures"][0] | {"protected": b64({"alg": "none"})}]},
        lambda given: given | {"signatures": [given["signatures"][0] | {"protected": b64({"alg": "HS256"})}]},
        lambda given: given | {"signatures": [given["signatures"][0] | {"header": {"uuid": str(uuid.uuid4())}}]},
        lambda given: given | {"signatures": [given["signatures"][0] | {"header": {}}]},
        lambda given: resigned(given, Ed25519PrivateKey.from_private_bytes(bytes(32))),
        lambda given: {"payload": given["payload"]},
        lambda _: made(),
        lambda given: [given],
    ],
)
def test_a_signed_one_that_was_changed_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    given = json.loads(signed(made(), sign))
    assert verified(json.dumps(given).encode(), PUBLIC)
    with pytest.raises(VconError) as caught:
        verified(json.dumps(change(given)).encode(), PUBLIC)
    assert "Krankengeld" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"\xff", b"[" * 100_000, b'{"signatures": {}}'])
def test_what_is_no_signed_vcon_is_refused(data: bytes) -> None:
    with pytest.raises(VconError):
        verified(data, PUBLIC)


def test_something_else_that_was_signed_is_no_vcon() -> None:
    payloads: list[object] = [{"uuid": 1}, [], "x"]
    for payload in payloads:
        protected, content = b64({"alg": "Ed25519"}), b64(payload)
        signature = sign(f"{protected}.{content}".encode()).signature
        one = {"protected": protected, "header": {"uuid": 2}, "signature": urlsafe_b64encode(signature).decode()}
        one["signature"] = str(one["signature"]).rstrip("=")
        with pytest.raises(VconError):
            verified(json.dumps({"payload": content, "signatures": [one]}).encode(), PUBLIC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Records]:
    store = Records(tmp_path / "records", FakeClock(), environment={}, busy_seconds=0.1)
    yield store
    store.close()


def test_minutes_of_sound_can_be_checked() -> None:
    long = Pcm(bytes(8000 * 2 * 120), 8000)
    content = verified(signed(made(recording=flac.encode(long)), sign), PUBLIC)
    assert sound(content["dialog"][0]) == long


def test_a_stored_record_is_signed_with_the_key_that_the_audit_trail_names(store: Records) -> None:
    officer = Accessor("pruefer", Role.PRIVACY)
    clock = FakeClock()
    draft = Draft(
        reference="ab" * 16,
        started_at=clock.now(),
        recorded_at=clock.now(),
        decision="route",
        outcome="succeeded",
        transcripts=SAID[:1],
        recording=HEARD,
        caller="+4930123456",
    )
    store.seal(draft)
    [one] = store.list(officer, Purpose.RIGHTS)
    opened = store.open(one.id, officer, Purpose.RIGHTS, audio=True)
    data = signed(vcon(opened, insurer="mkk", created_at=clock.now()), store.sign_jws)
    head = store.trail_head()
    assert head is not None
    content = verified(data, bytes.fromhex(str(head["public_key"])))
    assert sound(content["dialog"][0]) == HEARD
