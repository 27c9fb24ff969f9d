"""Reading who calls and writing where to transfer: the SIP texts of a call, as pure functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from anruflotse.lines.line import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

_URI = re.compile(r"(?:sips?|tel):[^<>\s\"]+", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_SEPARATORS = str.maketrans("", "", "-.() ")
# RFC 3261 25.1: user with its marks and escapes; then a host name, IPv4 or [IPv6], a port, URI parameters. No URI
# headers ("?"), no angle brackets, no white space, no control characters: a target cannot smuggle in a header.
_TARGET = re.compile(
    r"sips?:"
    r"(?:(?:[A-Za-z0-9\-_.!~*'()&=+$,;/]|%[0-9A-Fa-f]{2})+@)?"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::[0-9]{1,5})?"
    r"(?:;[A-Za-z0-9\-_.!~*'%]+(?:=[A-Za-z0-9\-_.!~*'%+:\[\]/]+)?)*"
)
_REFERENCE = re.compile(r"(?:[0-9A-Fa-f]{2}){1,64}")
_MAX_TARGET = 255
_HIDDEN = {"id", "user", "header"}
_BUSY = {486, 600}
_NO_ANSWER = {408, 480}


def caller_number(headers: Mapping[str, str], from_uri: str | None) -> str | None:
    """The caller's number from P-Asserted-Identity (RFC 3325), else From; None when withheld or not a number.

    `headers` has lower-case names. A `Privacy` header (RFC 3323) is respected even when the trunk, trusting us, still
    tells the number: who withholds it does not give it to us.
    """
    privacy = {value.strip().lower() for value in re.split(r"[;,]", headers.get("privacy", ""))}
    if privacy & _HIDDEN:
        return None
    for text in (headers.get("p-asserted-identity"), from_uri):
        number = _number(text or "")
        if number:
            return number
    return None


def _number(text: str) -> str | None:
    found = _URI.search(text)
    if found is None:
        return None
    scheme, _, rest = found.group().partition(":")
    user, at, _ = rest.partition("@")
    if scheme.lower() != "tel" and not at:
        return None
    # The user part may carry parameters (RFC 3966 in RFC 3261 19.1.6) and, in theory, a password.
    digits = unquote(user.partition(";")[0].partition(":")[0]).translate(_SEPARATORS)
    return digits if _NUMBER.fullmatch(digits) else None


def is_target(text: str) -> bool:
    """Whether callers can be sent to this: a plain SIP URI without headers."""
    return len(text) <= _MAX_TARGET and _TARGET.fullmatch(text) is not None


def refer_to(target: str, reference: str) -> str:
    """The Refer-To value that sends a caller to `target` with `reference` as User-to-User (RFC 7433, hex).

    Raises `ValueError` when `target` is not a plain SIP URI or `reference` is not hexadecimal: neither may carry
    anything else into the signalling.
    """
    if not is_target(target):
        message = "A transfer target is a plain SIP URI such as sip:name@host:5060, without <>, spaces or '?' headers."
        raise ValueError(message)
    if _REFERENCE.fullmatch(reference) is None:
        message = "A transfer reference is 1 to 64 bytes in hexadecimal."
        raise ValueError(message)
    return f"<{target}?User-to-User={reference}%3Bencoding%3Dhex>"


def failed_transfer(status: int | None, *, timed_out: bool) -> Outcome:
    """What a transfer that failed on a live leg came to: `status` is the SIP code the peer gave, if any."""
    if status in _BUSY:
        return Outcome.BUSY
    if status in _NO_ANSWER or (status is None and timed_out):
        return Outcome.NO_ANSWER
    return Outcome.REFUSED
