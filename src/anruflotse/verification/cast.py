"""The test callers: what they say and press, and when. Invented people with numbers kept free for films (BNetzA)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from anruflotse.departments.catalogue import Catalogue
from anruflotse.pcm import Pcm
from anruflotse.speech.pico import PicoSynthesiser
from anruflotse.verification.audio import sweep
from anruflotse.verification.player import Player
from anruflotse.verification.stage import STAFF

SENTENCES: Mapping[str, str] = {
    "pflege": "Meine Mutter braucht einen Pflegegrad, wie beantragen wir das Pflegegeld?",
    "krankengeld": "Ich bin seit sechs Wochen krankgeschrieben. Wann bekomme ich mein Krankengeld?",
    "gesundheitskarte": "Guten Tag, ich habe meine Gesundheitskarte verloren und brauche bitte eine neue.",
    "zahnersatz": "Mein Zahnarzt sagt, ich brauche eine neue Krone, was zahlen Sie beim Zahnersatz dazu?",
}
"""A sentence for concerns of the shipped catalogue; those that a catalogue has are used with it."""
PRIVACY_CONCERN = "datenschutz"
EARLY = "Ich rufe wegen meiner Zahnreinigung im Mai an."
OBJECTIONS = ("Nein, ich möchte nicht, dass das aufgezeichnet wird.", "Widerspruch!")
PRIVACY = "Ich habe eine Frage zum Datenschutz, wer ist bei Ihnen dafür zuständig?"

CONNECTING, HANDED = sweep(500.0, 1100.0, 0.8), sweep(1400.0, 900.0, 1.0)
"""Sounds that mark what is said after the answer: while connecting, and while handing over."""
CONNECT_PROMPTS = ("verbinde", "datenschutz_verbinde", "geschlossen", "geschlossen_alternative")
CONFIRMATIONS = 3


@dataclass(frozen=True, slots=True)
class Voices:
    """Everything that is said, spoken beforehand. `stated` is the concern of the sentence `answer`, if there is one."""

    answer: Pcm
    words: str
    stated: str | None
    early: Pcm
    objection: Pcm
    objection_word: Pcm
    privacy: Pcm
    yes: Pcm
    phases: Mapping[str, Pcm] = field(default_factory=dict)
    """What must be told apart in a recording, by phase."""

    def of(self, name: str) -> tuple[str, Mapping[str, Pcm]]:
        """The words and sounds of the call of this name."""
        return (PRIVACY, {**self.phases, "answer": self.privacy}) if name == "privacy" else (self.words, self.phases)


async def voices(catalogue: Catalogue) -> Voices:
    """Speak everything, with a concern that this catalogue knows."""
    usable = [key for key in SENTENCES if key in catalogue.concerns and catalogue.concerns[key].enabled]
    stated = usable[0] if usable else None
    words = SENTENCES[stated or "pflege"]
    # Other voices: what is compared must not be alike because the same voice said the same syllable.
    usual, other = PicoSynthesiser(), PicoSynthesiser(speed=1.15, pitch=1.25)
    answer, early, yes = await usual.speak(words), await other.speak(EARLY), await other.speak("Ja, genau.")
    return Voices(
        answer=answer,
        words=words,
        stated=stated,
        early=early,
        objection=await usual.speak(OBJECTIONS[0]),
        objection_word=await usual.speak(OBJECTIONS[1]),
        privacy=await usual.speak(PRIVACY),
        yes=yes,
        phases={
            "early": early, "answer": answer, "confirm": yes,
            "connecting": CONNECTING, "handed": HANDED, "staff": STAFF,
        },
    )  # fmt: skip


Script = Callable[[Player, Voices], Awaitable[None]]


async def concern(player: Player, voice: Voices) -> None:
    """Speak over the notice, state a concern when asked, and go on making sounds until staff have answered."""
    await player.call.wait_speech(after=0)
    await player.say("early", voice.early)
    await player.asked()
    await player.say("answer", voice.answer)
    await _confirmed(player, voice)
    await player.say("connecting", CONNECTING)
    await player.call.wait_refer(40)
    await player.say("handed", HANDED)
    await player.put_through()
    if player.call.second is not None:
        player.noted("staff")
        await player.call.second.say(HANDED)


async def privacy(player: Player, voice: Voices) -> None:
    """Ask who is responsible for data protection."""
    await player.asked()
    await player.say("answer", voice.privacy)
    await _confirmed(player, voice)
    await player.put_through()


async def key_in_notice(player: Player, voice: Voices) -> None:  # noqa: ARG001 - a script's shape
    """Press the objection key while the notice plays."""
    await player.call.wait_speech(after=0)
    await player.object_by_key()
    await player.put_through()


async def words_in_notice(player: Player, voice: Voices) -> None:
    """Say "Widerspruch" while the notice plays, and yes when asked whether that was meant."""
    await player.call.wait_speech(after=0)
    await player.object_in_words(voice.objection_word)
    await _confirmed(player, voice)
    await player.put_through()


async def key_while_speaking(player: Player, voice: Voices) -> None:
    """Begin with the concern and press the objection key in the middle of it: the recorder holds audio then."""
    await player.asked()
    player.begin("answer", voice.answer)
    await player.pause(1.2)
    await player.object_by_key()
    player.call.hush()
    await player.put_through()


async def words_in_answer(player: Player, voice: Voices) -> None:
    """Object in words when asked for the concern."""
    await player.asked()
    await player.object_in_words(voice.objection)
    await _confirmed(player, voice)
    await player.put_through()


async def key_while_ringing(player: Player, voice: Voices) -> None:
    """State the concern, and press the objection key when a department's telephone rings already."""
    await player.asked()
    await player.say("answer", voice.answer)
    await _confirmed(player, voice)
    await player.call.wait_refer(40)
    await player.object_by_key()
    await player.put_through()


async def unasked(player: Player, voice: Voices) -> None:
    """State the concern at the first sound, whatever it is: without a notice nothing of it may be kept."""
    await player.call.wait_speech(after=0)
    player.begin("answer", voice.answer)
    await player.put_through()


async def waiting(player: Player, voice: Voices) -> None:  # noqa: ARG001 - a script's shape
    """Say nothing at all: the software has to put the caller through by itself."""
    await player.put_through()


CAST: Mapping[str, Script] = {
    "concern": concern,
    "key_while_ringing": key_while_ringing,
    "privacy": privacy,
    "words_in_answer": words_in_answer,
    "key_while_speaking": key_while_speaking,
    "words_in_notice": words_in_notice,
    "key_in_notice": key_in_notice,
    "objected_before": waiting,
    "notice_lost": unasked,
}
"""Every test call by name, those that take longest first."""
OBJECTIONS_IN_CALL = ("key_in_notice", "words_in_notice", "key_while_speaking", "words_in_answer", "key_while_ringing")
UNRECORDED = (*OBJECTIONS_IN_CALL, "objected_before", "notice_lost")
"""Calls that must leave nothing."""


async def _confirmed(player: Player, voice: Voices) -> None:
    """Say yes as often as the voicebot asks back, until it connects."""
    for _ in range(CONFIRMATIONS):
        if await player.connecting_or_asked():
            return
        await player.say("confirm", voice.yes)
