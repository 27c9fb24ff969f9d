"""A document as PDF: tagged, German, with text that can be selected and read aloud, fit for archiving.

Typst sets it, in this process and in memory only. The content is handed over as data (JSON in `sys.inputs`), never as
source, so that nothing in it can be a command. Only the fonts that come with Typst are used: the same document looks
the same on every machine, and the same content gives the same bytes.
"""

from __future__ import annotations

import json
from importlib.resources import files

import typst

from anruflotse.documents.data import plain
from anruflotse.documents.model import Document
from anruflotse.documents.shown import drawable

_SOURCE = files("anruflotse.documents").joinpath("templates", "document.typ").read_bytes()
_STANDARDS: list[typst.PDFStandard] = ["a-2a", "ua-1"]
"""PDF/A-2a (ISO 19005-2, what evidence is archived as) and PDF/UA-1 (ISO 14289-1, readable without seeing)."""


class PaperError(Exception):
    """The document could not be set. The message is static: what stands in the document stays out of it."""


def pdf(document: Document) -> bytes:
    """The document as a PDF file that keeps PDF/A-2a and PDF/UA-1.

    A sign that the fonts at hand cannot draw (Arabic, Chinese, emoji) is spelt out as `[U+1F600]`; page and data hold
    it unchanged. Raises `PaperError` when the typesetter refuses the document, which is a fault of this software.
    """
    content = _drawable(plain(document) | {"dated": document.dated})
    try:
        return typst.compile(
            _SOURCE,
            sys_inputs={"document": json.dumps(content, ensure_ascii=False)},
            ignore_system_fonts=True,
            pdf_standards=_STANDARDS,
        )
    except BaseException as error:
        if not isinstance(error, typst.TypstError) and type(error).__name__ != "PanicException":
            raise  # the latter is how a fault in Rust arrives; it is no `Exception`, and cannot be imported
        message = "The document could not be set as PDF. Use the web page, and report what kind of document it was."
        # The typesetter's own words would quote the document.
        raise PaperError(message) from None


def _drawable(value: object) -> object:
    match value:
        case str():
            return drawable(value)
        case dict():
            return {key: _drawable(inner) for key, inner in value.items()}
        case list():
            return [_drawable(inner) for inner in value]
        case _:
            return value
