"""A record as a vCon: the conversation container of the IETF, which other systems can open (draft-ietf-vcon-vcon-core).

What the caller said (dialog), what was made of it (analysis) and under which rules (attachments) in one JSON, signed as
JWS (RFC 7515, general serialisation). It is the copy of Art. 15(3) GDPR, machine-readable. Three decisions:

- Sound is WAV, the draft's first choice: a FLAC file would be half as long and unknown to many readers.
- `mimetype` and an attachment's `type`, as earlier drafts had them, stand beside `mediatype` and `purpose`, so that
  readers of either open it. Bodies with `encoding: json` are JSON in a string, which both allow.
- The draft wants a certificate (`x5c`) with the signature. There is none: the key is that of the audit trail, whose
  public half is filed elsewhere (docs/audit.md) and therefore better known than a name in a certificate. The header
  names it as `jwk`, and whoever checks compares it with the filed one.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import uuid
import wave
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.registry import HeaderParameter

from anruflotse.pcm import SAMPLE_BYTES, Pcm
from anruflotse.records import flac
from anruflotse.records.model import Record
from anruflotse.records.signatures import Signature
from anruflotse.rights.notification import handed

VERSION = "0.4.0"
"""The version of the syntax: that of draft-ietf-vcon-vcon-core-01 and later."""

ALGORITHM = "Ed25519"
"""RFC 9864; the older name `EdDSA` leaves the curve open."""

VENDOR = "Anruflotse"
WAV = "audio/x-wav"
JSON = "application/json"

_CALLER = 0
_INSURER = 1
_NUMBER = re.compile(r"\+?[0-9]{3,15}")


class _Registry(jws.JWSRegistry):
    """What joserfc takes for a JWS: minutes of sound are longer than the tokens it otherwise has to do with."""

    max_payload_length = 256 * 1024 * 1024


_HEADER = {"uuid": HeaderParameter("which vCon it is", "str")}


class VconError(Exception):
    """This is no signed vCon, or it was changed, or somebody else signed it. The message quotes nothing of it."""


def vcon(
    record: Record,
    *,
    insurer: str,
    created_at: datetime,
    notice: str | None = None,
    objected: bool | None = None,
    redacted: bool = False,
) -> dict[str, object]:
    """`record` as a vCon in the unsigned form, in shapes of JSON.

    `notice` is the text of the notice the caller heard, if it is at hand; the record has its version. `objected` tells
    whether recordings of calls from that number are objected to at `created_at`, None when there is no number to ask
    for. `redacted` says that passages about somebody else were taken out of `record`; one whose recording was held back
    (or is gone) says so as well, and has a dialog without sound.
    The same record gets the same `uuid` for the same `created_at`. Raises `ValueError` for a time without time zone.
    """
    if created_at.tzinfo is None:
        message = "The time of a vCon needs a time zone: give UTC."
        raise ValueError(message)
    sound = flac.decode(record.recording) if record.recording else None
    made: dict[str, object] = {
        "vcon": VERSION,
        "uuid": _uuid(record.summary.id, created_at),
        "extensions": ["lawful_basis"],
        "created_at": _time(created_at),
        "subject": "Gespräch mit dem Sprachassistenten",
        "parties": _parties(record, insurer),
        "dialog": [_dialog(record, sound)],
        "analysis": _analysis(record),
        "attachments": _attachments(
            record, {"version": record.notice_version, "text": notice}, {"number": objected, "as_of": _time(created_at)}
        ),
    }
    left_out = [what for what, gone in (("passages", redacted), ("recording", sound is None)) if gone]
    if left_out:
        # The draft: without a uuid, no less redacted version is available.
        made["redacted"] = {"type": " ".join(left_out)}
    return made


def sound(dialog: Mapping[str, object]) -> Pcm | None:
    """The sound of a vCon's dialog, None where there is none. Raises `VconError` for a body that is no such sound."""
    body = dialog.get("body")
    if body is None:
        return None
    message = "The dialog of this vCon holds no mono 16-bit WAV."
    if not isinstance(body, str) or dialog.get("encoding") != "base64url":
        raise VconError(message)
    try:
        with wave.open(io.BytesIO(_decoded(body))) as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, SAMPLE_BYTES):
                raise VconError(message)
            return Pcm(file.readframes(file.getnframes()), file.getframerate())
    except (wave.Error, EOFError, ValueError):
        raise VconError(message) from None


def signed(made: Mapping[str, object], sign: Callable[[bytes], Signature]) -> bytes:
    """A vCon in the signed form: the bytes of a JSON file. `sign` is `Records.sign_jws`; raises what that raises."""
    protected = _encoded(_json({"alg": ALGORITHM, "cty": "application/vcon"}))
    payload = _encoded(_json(made))
    signature = sign(f"{protected}.{payload}".encode())
    header = {"uuid": made["uuid"], "kid": _thumbprint(signature.public), "jwk": _jwk(signature.public)}
    signatures = [{"header": header, "protected": protected, "signature": _encoded(signature.signature)}]
    return _json({"payload": payload, "signatures": signatures})


def verified(data: bytes, public: bytes) -> dict[str, Any]:
    """The vCon within a signed one, when the key `public` (32 bytes, Ed25519) signed exactly this.

    `public` has to come from elsewhere, such as a filed head of the audit trail: what the file says about its own key
    proves nothing and is not used. Raises `VconError`.
    """
    message = "This is no signed vCon: it needs `payload` and one signature in `signatures` (RFC 7515, JSON)."
    try:
        given = json.loads(data)
        signature = _only(given["signatures"])
        key = OKPKey.import_key(cast("Any", _jwk(public)))
        content = jws.deserialize_json(given, key, registry=_Registry(_HEADER, [ALGORITHM]))
        made = json.loads(content.payload or b"")
        named = signature["header"]["uuid"]
    except (JoseError, Base64Error):
        message = "The signature does not fit: the vCon was changed, or another key signed it."
        raise VconError(message) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise VconError(message) from None
    if not isinstance(made, dict) or "uuid" not in made:
        raise VconError(message)
    if made["uuid"] != named:
        message = "The header of this vCon names another one than what was signed."
        raise VconError(message)
    return made


def _parties(record: Record, insurer: str) -> list[dict[str, object]]:
    caller: dict[str, object] = {"validation": "none"}
    if record.caller:
        numeric = _NUMBER.fullmatch(record.caller)
        # What the network gave instead of a number (`anonymous`) is stored too, and therefore told.
        caller |= {"tel": f"tel:{record.caller}"} if numeric else {"name": record.caller}
    parties: list[dict[str, object]] = [caller, {"name": f"Sprachassistent (Voicebot), {insurer}"}]
    if record.target and handed(record.summary.outcome):
        # Whoever was dialled and did not take the call was no party of it.
        parties.append({"sip": record.target, "name": record.summary.department or "Telefonzentrale"})
    return parties


def _dialog(record: Record, sound: Pcm | None) -> dict[str, object]:
    """The recording: the caller alone, who therefore is the only party of it."""
    dialog: dict[str, object] = {
        "type": "recording",
        "start": _time(record.summary.recorded_at),
        "parties": [_CALLER],
        "mediatype": WAV,
        "mimetype": WAV,
    }
    if sound is not None:
        dialog |= {"duration": round(sound.seconds, 3), "encoding": "base64url", "body": _encoded(_wav(sound))}
    return dialog


def _analysis(record: Record) -> list[dict[str, object]]:
    summary = record.summary
    transcript = [{"utterance": number, "text": text} for number, text in enumerate(record.transcripts)]
    found: dict[str, object] = {
        "concern": summary.concern,
        "second_concern": record.second_concern,
        "department": summary.department,
        "decision": summary.decision,
        "outcome": summary.outcome,
        "target": record.target,
        "ranking": [
            {"concern": one.concern, "department": one.department, "probability": one.probability}
            for one in record.ranking
        ],
        "evidence": list(record.evidence),
        "explanations": [dict(one) for one in record.explanations],
    }
    told = [("transcript", "transcript", transcript), ("report", "routing", found)]
    if record.corrections:
        # Without the names of staff: who entered it is nothing the copy is about (CJEU, C-579/21).
        texts = [{"utterance": one.utterance, "text": one.text, "at": _time(one.at)} for one in record.corrections]
        told.append(("transcript", "corrections", texts))
    return [
        {
            "type": kind,
            "dialog": 0,
            "mediatype": JSON,
            "vendor": VENDOR,
            "product": ", ".join(record.engines) or VENDOR,
            "schema": f"anruflotse-{schema}-1",
            "encoding": "json",
            "body": _text(body),
        }
        for kind, schema, body in told
    ]


def _attachments(
    record: Record, notice: Mapping[str, object], objection: Mapping[str, object]
) -> list[dict[str, object]]:
    start = _time(record.summary.recorded_at)
    purposes = ("recording", "transcription", "classification", "forwarding")
    basis = {
        # draft-howe-vcon-lawful-basis; Art. 6(1)(e) GDPR is its `public_task`.
        "lawful_basis": "public_task",
        "expiration": _time(record.summary.expires_at),
        "purpose_grants": [{"purpose": one, "granted": True, "granted_at": start} for one in purposes],
        "metadata": {
            "legal_basis": record.legal_basis,
            "purpose": record.purpose.value,
            "reference": record.summary.reference,
            "record": record.summary.id,
            "restricted": record.summary.restricted,
        },
    }
    told = (
        ("lawful_basis", basis),
        ("notice", notice),
        # Who objects in a call leaves no record: that there is one says that nobody did.
        ("objection", {"in_call": False, **objection}),
        ("processors", {"given": list(record.processors)}),
    )
    return [
        {
            "purpose": purpose,
            "type": purpose,
            "start": start,
            "party": _INSURER,
            "dialog": 0,
            "mediatype": JSON,
            "encoding": "json",
            "body": _text(body),
        }
        for purpose, body in told
    ]


def _uuid(record_id: str, created_at: datetime) -> str:
    """A UUID of version 8 (RFC 9562, B.2): from names, by SHA-256."""
    digest = bytearray(hashlib.sha256(f"{record_id}/{_time(created_at)}".encode()).digest()[:16])
    digest[6] = 0x80 | digest[6] & 0x0F
    digest[8] = 0x80 | digest[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(digest)))


def _wav(sound: Pcm) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(sound.rate)
        file.writeframes(sound.data)
    return held.getvalue()


def _time(when: datetime) -> str:
    """RFC 3339, in UTC."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text(value: object) -> str:
    """JSON in a string. Half characters, which UTF-8 does not have, become `?`, as where they are stored."""
    return json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _encoded(data: bytes) -> str:
    """Base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _jwk(public: bytes) -> dict[str, str]:
    """RFC 8037."""
    return {"crv": "Ed25519", "kty": "OKP", "x": _encoded(public)}


def _thumbprint(public: bytes) -> str:
    """RFC 7638: SHA-256 over the key's members in the order of the alphabet, which is that of `_jwk`."""
    return _encoded(hashlib.sha256(_json(_jwk(public))).digest())


def _only(signatures: list[Any]) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The one signature. A second one could not be checked, and would look as if it had been."""
    (one,) = signatures
    return one
