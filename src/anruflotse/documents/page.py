"""A document as a web page: complete, without a script or anything from elsewhere, readable aloud, printable."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from anruflotse.documents.data import plain
from anruflotse.documents.model import Document
from anruflotse.documents.shown import shown

STYLE = files("anruflotse.documents").joinpath("templates", "document.css").read_text(encoding="utf-8")
"""The style sheet of every document; it stands inside the page, so that a saved page looks the same."""

STYLE_SOURCE = f"'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
"""What a Content-Security-Policy must allow as `style-src` for STYLE, and nothing else."""

_ENVIRONMENT = Environment(
    loader=PackageLoader("anruflotse.documents"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters["shown"] = shown


def html(document: Document) -> str:
    """The document as a complete page in German. Whatever its texts hold, it is shown as text."""
    return _ENVIRONMENT.get_template("document.html").render(
        plain(document),
        dated=document.dated,
        style=Markup(STYLE),  # noqa: S704 - our own file, and a page's policy can admit exactly this text
    )
