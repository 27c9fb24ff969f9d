"""Exercising the rights of Articles 15 to 21 on the test record, from intake to answer, as an officer would. Blocks."""

from __future__ import annotations

import io
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pyzipper
import structlog

from anruflotse.documents import PaperError
from anruflotse.records.model import AccessRefusedError, NotFoundError, Purpose, StoreError
from anruflotse.records.repository import Records
from anruflotse.records.restriction import Ground
from anruflotse.rights import wiring
from anruflotse.rights.model import Article, Decision, NotNowError, RightsError, Scope, State
from anruflotse.rights.notification import NOTIFY, TELL
from anruflotse.rights.portability import ARCHIVE
from anruflotse.rights.requests import Requests
from anruflotse.verification.afterwards import Subject, copied, opened
from anruflotse.verification.evidence import Right
from anruflotse.verification.stage import OFFICER

log = structlog.get_logger(__name__)

IDENTIFIED = "Prüfanruf von anruflotse verify"
CORRECTED = "Berichtigung durch die Prüfung"

Seen = tuple[bool, str]


@dataclass(frozen=True, slots=True)
class Desk:
    """The desk for requests, on a copy of the test store, and whose record it is about."""

    requests: Requests
    store: Records
    subject: Subject

    @property
    def scope(self) -> Scope:
        """What the person names: their number."""
        return Scope(number=self.subject.number)

    def file(self, article: Article, identified: str = IDENTIFIED) -> str:
        """Take a request in; its id."""
        return self.requests.take_in(article, self.scope, OFFICER, identified=identified)[0].id


def exercise(subject: Subject, articles: Iterable[int] = range(15, 22)) -> tuple[Right, ...]:
    """Each of these articles from intake to evidence, on a copy of the store of its own."""
    acts: Mapping[int, Callable[[Desk], Seen]] = {
        15: _access,
        16: _rectification,
        17: _erasure,
        18: _restriction,
        19: _notification,
        20: _copy,
        21: _objection,
    }
    return tuple(_tried(subject, article, acts[article]) for article in articles)


def _tried(subject: Subject, article: int, act: Callable[[Desk], Seen]) -> Right:
    with _desk(subject, article) as desk:
        try:
            worked, seen = act(desk)
        except (RightsError, AccessRefusedError, StoreError, PaperError, ValueError) as error:
            log.exception("a right could not be exercised")
            return Right(article, worked=False, seen=f"Der Antrag scheiterte ({type(error).__name__}).")
    return Right(article, worked, seen)


@contextmanager
def _desk(subject: Subject, article: int) -> Iterator[Desk]:
    with copied(subject, f"article-{article}") as data, opened(subject, data) as store:
        settings = subject.settings.model_copy(update={"data": data})
        yield Desk(wiring.requests(settings, store, subject.clock), store, subject)


def _access(desk: Desk) -> Seen:
    """What is stored, readable and by machine; not before it was checked who asks, and once answered it is proven."""
    case = desk.file(Article.ACCESS, identified="")
    desk.requests.access(case, OFFICER)
    # The test caller speaks of her mother: an officer has to look before anything is handed out (Art. 15(4)).
    looked = desk.requests.considered(case, OFFICER, desk.subject.record.id, Decision.INCLUDE)
    desk.requests.decide(case, OFFICER, looked)
    files = desk.requests.access(case, OFFICER).files
    try:
        desk.requests.answer(case, OFFICER)
        unchecked = False
    except NotNowError:
        unchecked = True
    desk.requests.identify(case, OFFICER, IDENTIFIED)
    filed = desk.requests.answer(case, OFFICER)
    kinds = {name.rpartition(".")[2] for name in files}
    text = b" ".join(files.values()).decode("utf-8", "replace")
    said = desk.store.open(desk.subject.record.id, OFFICER, Purpose.RIGHTS).transcripts
    told = bool(said) and all(one in text for one in said)
    due = desk.requests.office.due(filed.request)
    worked = unchecked and told and {"pdf", "html", "json"} <= kinds and filed.request.state is State.ANSWERED
    return worked, (
        f"Auskunft als {', '.join(sorted(kinds))}, {'mit' if told else 'ohne'} dem Gesagten, fällig am "
        f"{due.day:%d.%m.%Y}; ohne Identitätsprüfung {'keine' if unchecked else 'dennoch eine'} Antwort; dann "
        f"{'beantwortet' if filed.request.state is State.ANSWERED else 'nicht beantwortet'}."
    )


def _rectification(desk: Desk) -> Seen:
    before = desk.store.open(desk.subject.record.id, OFFICER, Purpose.RIGHTS)
    desk.requests.rectify(desk.file(Article.RECTIFICATION), OFFICER, 1, CORRECTED)
    after = desk.store.open(desk.subject.record.id, OFFICER, Purpose.RIGHTS)
    beside = [one.text for one in after.corrections] == [CORRECTED]
    kept = after.transcripts == before.transcripts
    return beside and kept, (
        f"Die Berichtigung steht {'neben' if beside else 'nicht neben'} dem Erkannten, das "
        f"{'unverändert blieb' if kept else 'verändert wurde'}."
    )


def _erasure(desk: Desk) -> Seen:
    prepared = desk.requests.erase(desk.file(Article.ERASURE), OFFICER)
    gone = not _readable(desk, Purpose.RIGHTS)
    left = desk.requests.get(prepared.filed.id, OFFICER).request
    return gone and bool(left.steps), (
        f"Die Aufzeichnung ist {'vernichtet' if gone else 'noch lesbar'}, der Antrag mit {len(left.steps)} Schritten "
        "als Nachweis bleibt."
    )


def _restriction(desk: Desk) -> Seen:
    desk.requests.restrict(desk.file(Article.RESTRICTION), OFFICER, Ground.CONTESTED)
    closed = not _readable(desk, Purpose.SUPERVISION) and _readable(desk, Purpose.RIGHTS)
    case = desk.file(Article.LIFTING)
    prepared = desk.requests.tell_before_lifting(case, OFFICER)
    first = not _readable(desk, Purpose.SUPERVISION)
    for todo in prepared.filed.request.open_todos:
        if todo.kind == TELL:
            desk.requests.settle(case, OFFICER, todo.number)
    desk.requests.lift(case, OFFICER)
    again = _readable(desk, Purpose.SUPERVISION)
    return closed and first and again, (
        f"Gesperrt {'öffnete' if not closed else 'öffnete nur noch für Betroffenenrechte'}; aufgehoben wurde "
        f"{'erst nach der' if first else 'vor der'} Mitteilung an die Person."
    )


def _notification(desk: Desk) -> Seen:
    prepared = desk.requests.erase(desk.file(Article.ERASURE), OFFICER)
    told = sorted({todo.recipient for todo in prepared.filed.request.todos if todo.kind == NOTIFY})
    return bool(told), f"Nach der Löschung zu benachrichtigen: {', '.join(told) or 'niemand, obwohl jemand sie hatte'}."


def _copy(desk: Desk) -> Seen:
    prepared = desk.requests.copy(desk.file(Article.COPY), OFFICER)
    data, password = prepared.files.get(ARCHIVE, b""), prepared.password or ""
    locked, containers = False, []
    if data:
        with pyzipper.AESZipFile(io.BytesIO(data)) as packed:
            names = [name for name in packed.namelist() if name.endswith(".vcon.json")]
            locked = all(info.flag_bits & 1 for info in packed.infolist())
            packed.setpassword(password.encode())
            containers = [_payload(packed.read(name)) for name in names]
    whole = all({"dialog", "analysis", "attachments"} <= set(one) for one in containers)
    return locked and bool(containers) and whole, (
        f"Kopie als Archiv {'mit' if locked else 'ohne'} Kennwort, darin {len(containers)} unterschriebene vCon"
        f"{'' if whole else ', unvollständig'}."
    )


def _objection(desk: Desk) -> Seen:
    desk.requests.object(desk.file(Article.OBJECTION), OFFICER)
    listed, gone = desk.store.objected(desk.subject.number), not _readable(desk, Purpose.RIGHTS)
    return listed and gone, (
        f"Künftige Anrufe der Rufnummer werden {'nicht mehr' if listed else 'weiterhin'} aufgezeichnet; die "
        f"gespeicherte Aufzeichnung ist {'vernichtet' if gone else 'noch da'}."
    )


def _readable(desk: Desk, purpose: Purpose) -> bool:
    try:
        desk.store.open(desk.subject.record.id, OFFICER, purpose)
    except (AccessRefusedError, NotFoundError):
        return False
    return True


def _payload(signed: bytes) -> dict[str, object]:
    """The vCon within its signature (RFC 7515, general JSON serialisation)."""
    outer = json.loads(signed)
    if not outer.get("signatures"):
        return {}
    coded: str = outer["payload"]
    inner = json.loads(urlsafe_b64decode(coded + "=" * (-len(coded) % 4)))
    return inner if isinstance(inner, dict) else {}
