"""One form for a telephone number, however it is written: what is hashed is what is found again."""

from __future__ import annotations

import re

import phonenumbers

_COUNTRY = "DE"
"""Whose rules a number without country code follows."""
_PLAIN = re.compile(r"[^\w+*#]|_")


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
