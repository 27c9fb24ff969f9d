"""Who phones in the demonstration, what they say or press, and where they have to end."""

from __future__ import annotations

from dataclasses import dataclass

HUMAN = "mensch"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a caller does: `say` or `press` something.

    With `after_prompt` the voicebot is heard out first; then `wait` seconds pass.
    """

    say: str = ""
    press: str = ""
    after_prompt: bool = True
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class SampleCaller:
    """A caller of the demonstration; `number` is fictional, `speed` and `pitch` make the voice.

    `ends_at` is the extension that has to answer; `kept` says whether a record may remain.
    """

    name: str
    about: str
    number: str
    parts: tuple[Part, ...]
    ends_at: str
    kept: bool
    speed: float = 1.0
    pitch: float = 1.0


CAST = (
    SampleCaller(
        "Frau Berger", "states her concern", "+4930555010001",
        (Part("Guten Tag, ich habe meine Gesundheitskarte verloren und brauche bitte eine neue.", after_prompt=True),),
        "kundenservice", kept=True, speed=0.9, pitch=1.1,
    ),
    SampleCaller(
        "Herr Yilmaz", "states his concern", "+4930555010002",
        (Part("Ich bin seit sechs Wochen krankgeschrieben. Wann bekomme ich mein Krankengeld?"),),
        "krankengeld", kept=True, pitch=0.85,
    ),
    SampleCaller(
        "Frau Lorenz", "objects by key in the notice", "+4930555010003",
        (Part(press="9", after_prompt=False, wait=3.0),),
        HUMAN, kept=False,
    ),
    SampleCaller(
        "Herr Petersen", "objects by voice in the notice", "+4930555010004",
        (Part("Widerspruch!", after_prompt=False, wait=4.0),),
        HUMAN, kept=False, pitch=0.9,
    ),
    SampleCaller(
        "Frau Öztürk", "objects by voice when asked", "+4930555010005",
        (Part("Nein, ich möchte nicht, dass das aufgezeichnet wird."),),
        HUMAN, kept=False, pitch=1.15,
    ),
    SampleCaller(
        "Herr Schulze", "wants a person", "+4930555010006",
        (Part("Ich möchte bitte mit einem Mitarbeiter sprechen."),),
        HUMAN, kept=False, speed=1.1,
    ),
    SampleCaller(
        "Frau Wagner", "has an emergency", "+4930555010007",
        (Part("Hilfe, mein Mann ist bewusstlos, er atmet nicht mehr!"),),
        HUMAN, kept=False, speed=1.15, pitch=1.2,
    ),
    SampleCaller(
        "Herr Franke", "says nothing", "+4930555010008", (), HUMAN, kept=False,
    ),
    SampleCaller(
        "Frau Nowak", "asks for care benefits", "+4930555010009",
        (Part("Meine Mutter braucht einen Pflegegrad, wie beantragen wir das Pflegegeld?"),),
        "pflegekasse", kept=True, pitch=1.05,
    ),
)  # fmt: skip
"""The callers of `make demo`, in the order they phone."""
