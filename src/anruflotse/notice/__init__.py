"""The public privacy notice as data: the promises it makes, rendered from the settings that run the system."""

from __future__ import annotations

from anruflotse.notice.archive import Archive, ArchiveError, Edition
from anruflotse.notice.facts import LEGAL_BASIS, Facts
from anruflotse.notice.promises import Promise
from anruflotse.notice.rendering import STYLE, STYLE_SOURCE, Notice
from anruflotse.notice.text import Section, Sentence, Template, load

__all__ = [
    "LEGAL_BASIS",
    "STYLE",
    "STYLE_SOURCE",
    "Archive",
    "ArchiveError",
    "Edition",
    "Facts",
    "Notice",
    "Promise",
    "Section",
    "Sentence",
    "Template",
    "load",
]
