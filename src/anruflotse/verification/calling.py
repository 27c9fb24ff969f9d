"""Placing the test calls on a stage, and gathering what was heard, what was done and what was left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

import structlog

from anruflotse.conversation.actions import Play, Prompt
from anruflotse.departments.model import HUMAN
from anruflotse.lines.line import LineError
from anruflotse.lines.peers import PhoneCall, SipError
from anruflotse.pcm import SAMPLE_BYTES, Pcm
from anruflotse.records.model import AccessRefusedError, Purpose, Record, StoreError
from anruflotse.speech.seams import SpeechError
from anruflotse.verification.audio import RATE, foreign, joined, plain_pieces, read_flac, trace
from anruflotse.verification.cast import CAST, PRIVACY_CONCERN, Script, Voices, voices
from anruflotse.verification.evidence import CallSeen, PromptHeard, RecordLeft
from anruflotse.verification.player import Player
from anruflotse.verification.stage import LISTED_NUMBERS, NUMBER, OFFICER, Stage

log = structlog.get_logger(__name__)

APART_SECONDS = 0.8
"""Calls begin so far apart, so that not everybody speaks at once: two processor cores have to hear them all."""
OVER_SECONDS = 20.0
LISTENED = {"concern": ("notice", "question"), "privacy": ("contact",)}
"""Which prompts are looked for in what a test caller heard."""


@dataclass(slots=True)
class Calling:
    """Places calls on `stage`, each from a number of its own. `told` hears of each that is over."""

    stage: Stage
    told: Callable[[str], None] = lambda _: None
    numbers: dict[str, str] = field(default_factory=dict)
    """The number each placed call came from, by its label."""
    _voices: Voices | None = None

    async def prepared(self) -> Voices:
        """What the callers say, spoken once."""
        if self._voices is None:
            self._voices = await voices(self.stage.parts.catalogue)
        return self._voices

    async def together(self, names: Sequence[str], labels: Sequence[str] = ()) -> Mapping[str, CallSeen]:
        """Place the calls of these names of the cast at the same time; by label, which is the name unless given."""
        await self.prepared()
        labels = labels or names
        placing = [
            self.place(name, label, n * APART_SECONDS)
            for n, (name, label) in enumerate(zip(names, labels, strict=True))
        ]
        return dict(zip(labels, await asyncio.gather(*placing), strict=True))

    async def place(self, name: str, label: str, after: float = 0.0) -> CallSeen:
        """Place one call after so many seconds."""
        voice = await self.prepared()
        number = self._number(name, label)
        await self.stage.clock.sleep(after)
        try:
            call, told = await self.stage.watch.dial(
                lambda: self.stage.caller.dial(self.stage.uri, number=number, codec=self._codecs())
            )
        except (SipError, LineError, TimeoutError):
            self.told(label)
            return CallSeen(name, fault="Der Anruf kam nicht zustande.")
        player = Player(call, told, self.stage.clock, self.stage.settings.call.objection_key)
        fault = await _played(CAST[name], player, voice)
        await _ended(player)
        try:
            return await self._seen(name, number, player, fault)
        except Exception:
            log.exception("a test call could not be evaluated")
            return CallSeen(name, fault="Der Anruf war nicht auszuwerten.")
        finally:
            self.told(label)

    def _number(self, name: str, label: str) -> str:
        listed = [one for one in LISTED_NUMBERS if one not in self.numbers.values()]
        number = listed[0] if name == "objected_before" else NUMBER.format(100 + len(self.numbers))
        self.numbers[label] = number
        return number

    def _codecs(self) -> tuple[str, ...]:
        return tuple(sorted(self.stage.settings.sip.codecs, key=("pcma", "pcmu", "g722").index))

    async def _seen(self, name: str, number: str, player: Player, fault: str | None) -> CallSeen:
        heard = player.call.heard.audio
        began = player.call.heard.first_packet_at or 0.0
        prompts = {kind: await self._prompt(kind) for kind in LISTENED.get(name, ())}
        found = {kind: await asyncio.to_thread(_heard, prompt, heard, began) for kind, prompt in prompts.items()}
        notice = found.get("notice", PromptHeard(0.0))
        records = await asyncio.to_thread(self._left, name, number, await self.prepared())
        phone_call = self._phone_call(player)
        return CallSeen(
            name,
            fault=fault,
            notice=notice,
            notice_words=await self._words(heard, notice, began) if "notice" in found else "",
            question=found.get("question", PromptHeard(0.0)),
            contact=found.get("contact", PromptHeard(0.0)),
            said=tuple(player.said),
            objected_at=player.objected_at,
            reached=None if player.reached is None else self.stage.phones.place(player.reached),
            reached_at=player.reached_at,
            expected=self._expected(name, await self.prepared()),
            handed_over_at=player.handed_over_at,
            leg_closed_at=next((event.at for event in player.call.events if event.event == "closed"), None),
            user_to_user=None if phone_call is None else phone_call.user_to_user,
            told="" if phone_call is None else self.stage.phone.told.get(phone_call.id, ""),
            order=tuple(player.log.order),
            tally=player.log.tally,
            records=records,
            traces=await asyncio.to_thread(traces, self.stage.data, number, player.sounds),
        )

    def _phone_call(self, player: Player) -> PhoneCall | None:
        second = player.call.second
        return next((call for call in self.stage.phone.calls if second is not None and call.id == second.id), None)

    def _expected(self, name: str, voice: Voices) -> str | None:
        """Where the catalogue sends the concern of this call now; `mensch` when its department is closed."""
        concern = {"concern": voice.stated, "key_while_ringing": voice.stated, "privacy": PRIVACY_CONCERN}.get(name)
        catalogue = self.stage.parts.catalogue
        if concern is None or concern not in catalogue.concerns:
            return None
        department = catalogue.concerns[concern].department
        if department not in catalogue.departments:
            return HUMAN
        route = catalogue.route(department, self.stage.clock.now())
        return department if route.open else route.alternative or HUMAN

    async def _prompt(self, kind: str) -> Pcm:
        """The audio a prompt should be heard as; empty when it cannot be had."""
        department = self.stage.parts.catalogue.concerns.get(PRIVACY_CONCERN)
        play = {
            "notice": Play(Prompt.NOTICE),
            "question": Play(Prompt.QUESTION),
            "contact": Play(Prompt.CONNECT_PRIVACY, department.department if department else ""),
        }[kind]
        try:
            return await self.stage.parts.equipment.announcer.audio(play, RATE)
        except Exception:
            log.exception("a prompt cannot be had", prompt=kind)
            return Pcm(b"", RATE)

    async def _words(self, heard: Pcm, notice: PromptHeard, began: float) -> str:
        """What our own recogniser makes of the notice as it was heard; of the beginning of the call without one."""
        first, last = (0.0, 15.0) if notice.end is None or notice.start is None else (notice.start, notice.end)
        start, end = (max(0, round((at - began) * heard.rate)) * SAMPLE_BYTES for at in (first, last))
        try:
            return (await self.stage.parts.recogniser.transcribe(Pcm(heard.data[start:end], heard.rate))).text
        except SpeechError:
            return ""

    def _left(self, name: str, number: str, voice: Voices) -> tuple[RecordLeft, ...] | None:
        """What the store holds of this number; None when it cannot be looked at."""
        store = self.stage.parts.records
        try:
            found = store.find_caller(number, OFFICER, Purpose.RIGHTS)
            return tuple(self._record(one, *voice.of(name)) for one in found)
        except (StoreError, AccessRefusedError):
            log.exception("the test store cannot be looked at")
            return None

    def _record(self, record_id: str, words: str, phases: Mapping[str, Pcm]) -> RecordLeft:
        try:
            record = self.stage.parts.records.open(record_id, OFFICER, Purpose.RIGHTS, audio=True)
        except (StoreError, AccessRefusedError):
            return RecordLeft(record_id, readable=False)
        return left(record, words, phases)


async def _played(script: Script, player: Player, voice: Voices) -> str | None:
    """Play the script; why it could not be played to its end, in German, or None."""
    try:
        await script(player, voice)
    except TimeoutError:
        return "Der Anruf verlief nicht wie vorgesehen: worauf der Testanruf wartete, blieb aus."
    except SipError:
        return "Der Anruf endete, bevor er zu Ende gespielt war."
    return None


async def _ended(player: Player) -> None:
    """Wait for the bot's side to let go of the call, then hang up, and wait until it is over for the software."""
    if player.reached is not None:
        try:
            async with asyncio.timeout(5):
                await player.call.closed()
        except TimeoutError:
            pass
    await player.call.hang_up()
    try:
        await player.log.until(lambda told: told.tally is not None, OVER_SECONDS)
    except TimeoutError:
        log.warning("the software did not tell how a test call ended")


def _heard(prompt: Pcm, heard: Pcm, began: float) -> PromptHeard:
    found = trace(prompt, heard)
    if found.start is None or found.end is None:
        return PromptHeard(found.share)
    return PromptHeard(found.share, began + found.start, began + found.end, found.to_its_end)


def left(record: Record, words: str, phases: Mapping[str, Pcm]) -> RecordLeft:
    """What a record holds, compared with the words that were spoken and the sounds of each phase of the call."""
    audio = read_flac(record.recording) if record.recording else Pcm(b"", RATE)
    said = " ".join(record.transcripts)
    return RecordLeft(
        record.summary.id,
        reference=record.summary.reference,
        recorded_at=record.summary.recorded_at,
        expires_at=record.summary.expires_at,
        seconds=audio.seconds,
        phases={phase: trace(part, audio).share for phase, part in phases.items()},
        foreign=foreign(audio, joined(*phases.values())),
        likeness=SequenceMatcher(None, _plain(words), _plain(said), autojunk=False).ratio(),
        concern=record.summary.concern,
        department=record.summary.department,
        legal_basis=record.legal_basis,
        purpose=record.purpose.value,
        notice_version=record.notice_version,
        processors=record.processors,
    )


def traces(data: Path, number: str, sounds: Sequence[Pcm]) -> tuple[str, ...]:
    """Where below `data` a number, or a stretch of these sounds as the line carried them, is readable in plain. Blocks.

    Models and prompts are left out: they are large, and no call can get into them.
    """
    digits = number.removeprefix("+").encode()
    pieces = [piece for sound in sounds for piece in plain_pieces(sound)]
    found = []
    for path in sorted(data.rglob("*")):
        if path.relative_to(data).parts[0] in ("models", "prompts") or not path.is_file():
            continue
        try:
            content = path.read_bytes()
        except OSError:
            continue  # the store tidies up while we look
        name = str(path.relative_to(data))
        if digits in content or digits[2:] in content:
            found.append(f"die Rufnummer in {name}")
        if any(piece in content for piece in pieces):
            found.append(f"die Stimme in {name}")
    return tuple(found)


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter == " ")
