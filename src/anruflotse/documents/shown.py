"""Texts as they can be shown: no sign that hides, turns round or erases its neighbours gets through unseen.

A caller's words, a correction or a name typed by staff may hold control characters, which HTML and PDF forbid, or marks
that turn the direction of writing (CVE-2021-42574), which would make a line read as what it is not. They are spelt out
as `[U+202E]` instead of being dropped, so that whoever reads the paper sees that something stood there.
"""

from __future__ import annotations

import re
import unicodedata

DRAWN = re.compile(
    r"[\n\u0020-\u007e\u00a0-\u00ac\u00ae-\u024f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f"
    r"\u1e00-\u1eff\u2010-\u2027\u202f\u2030-\u203a\u20ac\u2122\u2190-\u2193\u2212\u2260\u2264\u2265\u2713\u2717]"
)
"""What the typesetter's own fonts draw upright, slanted, light and bold: Latin, Greek, Cyrillic, and the usual signs.

They could draw more, but some mixtures of rarer signs make the typesetter stop (Typst 0.15.1, a panic in its shaping).
"""


def shown(text: str) -> str:
    """`text` with line feeds for line breaks, and everything that cannot be seen spelt out. The rest is unchanged."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(letter if _visible(letter) else _spelt(letter) for letter in text)


def drawable(text: str) -> str:
    """`shown(text)` with letters put together (NFC), and what no font here can draw spelt out as `[U+1F600]`."""
    return "".join(
        letter if DRAWN.fullmatch(letter) else _spelt(letter) for letter in unicodedata.normalize("NFC", shown(text))
    )


def _visible(letter: str) -> bool:
    """Not a control, a mark of direction, a joiner, a private or unassigned sign, half a character, an odd break."""
    return letter.isprintable() or letter == "\n" or unicodedata.category(letter) == "Zs"


def _spelt(letter: str) -> str:
    return f"[U+{ord(letter):04X}]"
