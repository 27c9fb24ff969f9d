"""What the callers of the benchmark say: concerns of about five seconds, in synthetic voices of different people."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from anruflotse.lines.peers.codecs import at_rate
from anruflotse.lines.peers.heard import SPEECH_DBFS, level_dbfs
from anruflotse.pcm import FRAME_MS, SAMPLE_BYTES, Pcm
from anruflotse.speech.audio import write_wav
from anruflotse.speech.pico import PicoSynthesiser

LINE_RATE: Final = 8_000
SHORT_NOTICE: Final = "Ihre Antwort wird aufgezeichnet. Neun für Widerspruch, Null für einen Menschen."

CONCERNS: Final = (
    "Meine Mutter braucht einen Pflegegrad, und ich wollte fragen, wie wir den bei Ihnen beantragen können.",
    "Ich bin seit sechs Wochen krankgeschrieben und möchte wissen, ab wann ich mein Krankengeld bekomme.",
    "Ich habe meine Gesundheitskarte im Zug verloren und brauche bitte so schnell wie möglich eine neue.",
    "Mein Zahnarzt hat mir einen Heilplan für eine Krone gegeben, und ich wollte wissen, was Sie davon bezahlen.",
    "Ich bin umgezogen und möchte Ihnen gern meine neue Anschrift und meine neue Bankverbindung mitteilen.",
    "Meine Frau hat keine eigene Arbeit mehr, können wir sie bei mir in der Familienversicherung anmelden.",
    "Ich möchte meine Mitgliedschaft bei Ihnen kündigen, weil ich zu einer anderen Krankenkasse wechseln will.",
    "Ich soll nach meiner Operation in die Reha, und nun wollte ich fragen, ob mein Antrag schon genehmigt ist.",
    "Mein Arzt hat mir ein Hörgerät verschrieben, und ich wollte wissen, welchen Betrag ich selbst bezahlen muss.",
    "Ich habe eine Mahnung über rückständige Beiträge bekommen und würde den Betrag gern in Raten zahlen.",
    "Ich bin selbstständig, verdiene gerade viel weniger, und deshalb möchte ich meine Beiträge neu berechnen lassen.",
    "Ich brauche für das Finanzamt eine Bescheinigung über die Beiträge, die ich im letzten Jahr gezahlt habe.",
    "Ich fahre nächsten Monat nach Spanien und möchte wissen, ob ich dort im Krankenhaus versichert bin.",
    "Nach der Geburt schaffe ich den Haushalt nicht allein, kann ich bei Ihnen eine Haushaltshilfe bekommen.",
    "Ich muss dreimal in der Woche zur Dialyse und wollte fragen, ob Sie die Fahrkosten mit dem Taxi übernehmen.",
    "Ich kann mich in der App nicht mehr anmelden, der Code für meine elektronische Patientenakte kommt nicht an.",
    "Ich war regelmäßig bei der Vorsorge und möchte wissen, wie ich mein Bonusheft bei Ihnen einreichen kann.",
    "Ich habe dieses Jahr schon viele Zuzahlungen geleistet und möchte mich für den Rest des Jahres befreien lassen.",
)


@dataclass(frozen=True, slots=True)
class Utterance:
    """Audio at 8 kHz that ends with its last loud packet."""

    audio: Pcm = field(repr=False)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.audio.seconds


async def spoken(count: int) -> list[Utterance]:
    """The first `count` concerns (again from the start when there are fewer), spoken by ten different voices."""
    made = []
    for number in range(count):
        voice = PicoSynthesiser(speed=1.0 + 0.04 * (number % 5), pitch=0.85 + 0.15 * (number % 3))
        made.append(trimmed(await voice.speak(CONCERNS[number % len(CONCERNS)])))
    return made


def trimmed(audio: Pcm) -> Utterance:
    """`audio` on the line's rate, in whole packets, without the silence behind its last loud one.

    So the moment in which the last packet goes out is the end of speech. Raises ValueError when nothing is loud.
    """
    data = at_rate(audio, LINE_RATE).data
    size = LINE_RATE * FRAME_MS // 1_000 * SAMPLE_BYTES
    packets: Sequence[bytes] = [data[start : start + size].ljust(size, b"\0") for start in range(0, len(data), size)]
    loud = [index for index, packet in enumerate(packets) if level_dbfs(packet) > SPEECH_DBFS]
    if not loud:
        message = "There is no speech in this audio."
        raise ValueError(message)
    return Utterance(Pcm(b"".join(packets[: loud[-1] + 1]), LINE_RATE))


async def short_notice(directory: Path) -> float:
    """Write a notice of few seconds into `directory`, as if recorded by a person; returns how many seconds it lasts.

    For figures that do not depend on the notice's length.
    """
    audio = await PicoSynthesiser(speed=1.6).speak(SHORT_NOTICE)

    def write() -> None:
        directory.mkdir(parents=True, exist_ok=True)
        write_wav(directory / "hinweis.wav", audio)

    await asyncio.to_thread(write)
    return audio.seconds
