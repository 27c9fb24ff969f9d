"""The notice of a running system: its sentences, its version, and how it reads as Markdown and as a web page."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass, field
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from anruflotse.notice.facts import Facts
from anruflotse.notice.text import Section, Sentence, Template, load

STYLE = files("anruflotse.notice").joinpath("templates", "style.css").read_text(encoding="utf-8")
"""The one style sheet of the public pages; it stands inside the page, so that a saved page looks the same."""

STYLE_SOURCE = f"'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
"""What a Content-Security-Policy must allow as `style-src` for STYLE, and nothing else."""

_ENVIRONMENT = Environment(
    loader=PackageLoader("anruflotse.notice"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_MARKDOWN_SIGNS = re.compile(r"([\\`*_\[\]<>#|~])")
_VERSION_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Notice:
    """The notice as `facts` make it read, from `template` (the shipped one unless told otherwise)."""

    facts: Facts = field(default_factory=Facts)
    template: Template = field(default_factory=load, repr=False)

    @property
    def title(self) -> str:
        """The page's heading."""
        return self.template.title.filled(self.facts).text

    def sections(self) -> tuple[Section, ...]:
        """The sections, gaps filled, without sentences that do not hold for this system and what that leaves empty."""
        filled = (section.filled(self.facts) for section in self.template.sections)
        return tuple(section for section in filled if section.paragraphs)

    def sentences(self) -> tuple[Sentence, ...]:
        """Every sentence with the promises it makes, the title first, in the order of the page."""
        title = self.template.title.filled(self.facts)
        return (title, *(s for section in self.sections() for paragraph in section.paragraphs for s in paragraph))

    def version(self) -> str:
        """16 hex digits that change with every change of the written or the spoken text, or of its recording.

        Each record keeps the one its caller was told; `Archive` keeps what it said.
        """
        told = f"{self.markdown()}\0{self.facts.spoken}\0{self.facts.voice}"
        return hashlib.sha256(told.encode()).hexdigest()[:_VERSION_DIGITS]

    def markdown(self) -> str:
        """The notice as Markdown."""
        blocks = [f"# {_escaped(self.title)}"]
        for section in self.sections():
            if section.title:
                blocks.append(f"## {_escaped(section.title)}")
            blocks += [_escaped(" ".join(s.text for s in paragraph)) for paragraph in section.paragraphs]
        return "\n\n".join(blocks) + "\n"

    def html(self) -> str:
        """The notice as a complete web page: no script, nothing from elsewhere, readable aloud, printable."""
        return _ENVIRONMENT.get_template("notice.html").render(
            title=self.title,
            sections=self.sections(),
            to_top=self.template.to_top,
            version=self.version(),
            insurer=self.facts.insurer,
            style=Markup(STYLE),  # noqa: S704 - our own file, and the page's policy admits exactly this text
        )


def _escaped(text: str) -> str:
    return _MARKDOWN_SIGNS.sub(r"\\\1", text)
