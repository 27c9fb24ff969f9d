"""One form for a telephone number, however it is written: what is hashed is what is found again."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

import phonenumbers

_COUNTRY = "DE"
"""Whose rules a number without country code follows."""
_PLAIN = re.compile(r"[^\w+*#]|_")
_URI = re.compile(r"sips?:([^@;:>\s]+)[^@>\s]*@|tel:([^;>]+)", re.IGNORECASE)
"""A SIP URI up to its host, without a password or parameters of the user (RFC 3261, 19.1.1), or a tel URI."""
_LABEL = re.compile(r"^(?:tel(?:efon)?|fon|mobil|handy|phone)[.:\s]+", re.IGNORECASE)
_COUNTRY_CODE = re.compile(r"49[1-9][0-9]{8,}")


def normalised(number: str) -> str:
    """`number` in E.164 (+49…), whether given as 030…, 0049 30…, +49 (0) 30…, or 4930… as some trunks do.

    What is no number of that plan stays as it is, without blanks and punctuation and in lower case: extensions, service
    codes, other SIP users.
    """
    text = number.strip().casefold()
    digits = _PLAIN.sub("", text)
    if not re.fullmatch(r"\+?[0-9]+", digits, re.ASCII):
        return text
    international = digits if digits.startswith(("+", "0")) else f"+{digits}"
    try:
        parsed = phonenumbers.parse(international, _COUNTRY)
    except phonenumbers.NumberParseException:
        return digits
    # Without plus or zero only a number that exists is one with its country code: else it is an extension or a service.
    if international != digits and not phonenumbers.is_valid_number(parsed):
        return digits
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def telephone(number: str) -> str | None:
    """`number` in E.164 if it is a whole telephone number, with area code; None for all else.

    Takes what is typed (`Tel. 030/12 34 56`, `+49 (0)30 …`) and what a network sends, in whatever notation, also as a
    SIP or tel URI (RFC 3261, RFC 3966). None for what is withheld (`anonymous`, empty, zeros), extensions and codes.
    """
    text = unicodedata.normalize("NFKC", unquote(number.strip()))
    if found := _URI.search(text):
        text = found[1] or found[2]
    text = _LABEL.sub("", text)
    digits = _PLAIN.sub("", text)
    if not re.fullmatch(r"\+?[0-9]+", digits):
        return None
    # "+0049 30 …", and "49 30 …" of ranges younger than the list of those that exist.
    digits = re.sub(r"^\+00", "+", digits)
    whole = normalised(f"+{digits}" if _COUNTRY_CODE.fullmatch(digits) else digits)
    try:
        parsed = phonenumbers.parse(whole, None)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    return whole if possible and parsed.national_number else None
