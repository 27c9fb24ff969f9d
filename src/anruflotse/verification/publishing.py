"""The published page as a visitor gets it, over HTTP; and which pages one gets without having signed in. Blocks."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import urlsplit

from anruflotse.verification.evidence import Page

PATH = "/datenschutzhinweis"
STAFF_PATHS = (
    *("/aufzeichnungen", "/betroffenenrechte", "/loeschung", "/auftragsverarbeiter", "/abteilungen", "/ansagen"),
    *("/protokoll", "/benutzer", "/testanruf", "/r/0123456789abcdef"),
)
"""Pages of the console that are behind a sign-in, or not there at all."""
SECONDS = 5.0
_OK = 200
_VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})
_VERSION = re.compile(r"Fassung ([0-9a-f]{8,64})")


def page(url: str) -> Page:
    """The notice as the console at `url` (`http://HOST:PORT`) publishes it; status None when nobody answers."""
    status, body = get(url, PATH)
    where = f"{url}{PATH}"
    if status != _OK:
        return Page(where, status)
    read = _Reader()
    read.feed(body)
    read.close()
    named = _VERSION.search(" ".join(read.footer))
    return Page(
        where,
        status,
        language=read.language,
        to_top=read.to_top,
        text=" ".join(" ".join(read.told).split()),
        version=named[1] if named else "",
        scripts=read.scripts,
    )


def open_pages(url: str) -> tuple[str, ...]:
    """Of the pages for staff, those that show themselves to whoever comes along."""
    return tuple(path for path in STAFF_PATHS if get(url, path)[0] == _OK)


def running(url: str) -> bool:
    """Whether one of our services answers at `url`."""
    status, body = get(url, "/live")
    return status == _OK and _json(body).get("live") is True


def ready(url: str) -> Mapping[str, bool]:
    """What the service at `url` says of its parts."""
    parts = _json(get(url, "/ready")[1]).get("parts")
    return {str(name): bool(well) for name, well in parts.items()} if isinstance(parts, dict) else {}


def get(url: str, path: str) -> tuple[int | None, str]:
    """Status and body; (None, "") when nobody answers. Redirections are not followed."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return None, ""
    finally:
        connection.close()


def _json(body: str) -> dict[str, object]:
    try:
        read = json.loads(body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


class _Reader(HTMLParser):
    """Collects the running text of the page's main part, its heading first, and what its footer says."""

    def __init__(self) -> None:
        super().__init__()
        self.language = ""
        self.to_top = False
        self.scripts = 0
        self.told: list[str] = []
        self.footer: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "html":
            self.language = known.get("lang") or ""
        self.scripts += tag == "script"
        if tag not in _VOID:
            self._open.append((tag, "top" in (known.get("class") or "").split()))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._open]
        if not data.strip():
            return
        if "footer" in tags:
            self.footer.append(data)
        elif any(top for _, top in self._open):
            self.to_top = self.to_top or "nach oben" in data
        elif "main" in tags and any(tag in tags for tag in ("h1", "p", "li")):
            self.told.append(data)
