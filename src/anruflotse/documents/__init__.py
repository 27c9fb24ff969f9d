"""Papers for people: what an officer, an auditor or a caller is given to read, as a web page, as PDF and as data.

A document is made of blocks of plain text; the three renderings show the same blocks. Nothing is ever read as markup,
whoever wrote the words: HTML is escaped, and the typesetter gets the content as data, never as source.
"""

from __future__ import annotations

from anruflotse.documents.data import plain
from anruflotse.documents.model import (
    Block,
    Cell,
    Columns,
    Document,
    Facts,
    Heading,
    Listing,
    Mark,
    Note,
    Paragraph,
    Quote,
    Table,
    Tone,
)
from anruflotse.documents.page import STYLE, STYLE_SOURCE, html
from anruflotse.documents.paper import PaperError, pdf

__all__ = [
    "STYLE",
    "STYLE_SOURCE",
    "Block",
    "Cell",
    "Columns",
    "Document",
    "Facts",
    "Heading",
    "Listing",
    "Mark",
    "Note",
    "PaperError",
    "Paragraph",
    "Quote",
    "Table",
    "Tone",
    "html",
    "pdf",
    "plain",
]
