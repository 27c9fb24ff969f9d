"""The field's words, for recognisers that can be told what to expect."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import zip_longest

from anruflotse.departments.model import Concern

_WORD = re.compile(r"[^\W\d_][\w-]*[^\W_]")
_COMMON = """
aber alle alles andere anderen anliegen auch auf aus bei beim das dem den der des die ein eine einen einer eines ende
für geld genanntes gewünscht hilfe ihr ihre ihren ihrer ihres im in mit mitglied nach neue oder ohne rechnung sich sie
stand thema und unklar vom von vorgang werden wünschen zu zum zur
"""
_NO_HELP = frozenset(_COMMON.split())
"""Words that carry no hint: every recogniser knows them, or they fit every call."""


def vocabulary(concerns: Iterable[Concern]) -> tuple[str, ...]:
    """The words of all concerns that a department handles, each once, most useful first.

    Names and keywords come before descriptions, and every concern gives one word in turn: however short a recogniser
    wants its list, no concern is left out of it.
    """
    rows = [_words(concern) for concern in concerns if concern.action is None]
    found: dict[str, str] = {}
    for column in zip_longest(*rows):
        for word in column:
            if word is not None:
                found.setdefault(word.casefold(), word)
    return tuple(found.values())


def _words(concern: Concern) -> list[str]:
    texts = (concern.name, *concern.keywords, concern.description)
    words = (word for text in texts for word in _WORD.findall(text))
    return list(dict.fromkeys(word for word in words if word.casefold() not in _NO_HELP))
