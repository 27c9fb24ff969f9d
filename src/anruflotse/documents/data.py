"""A document as data: for machines that read it, and for the typesetter."""

from __future__ import annotations

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
)


def plain(document: Document) -> dict[str, object]:
    """The document in shapes of JSON, with every text exactly as it was given.

    Keys: `title`, `subtitle`, `date` (ISO 8601), `insurer`, `language` and `blocks`; each block names its `type`.
    """
    return {
        "title": document.title,
        "subtitle": document.subtitle,
        "date": document.iso,
        "insurer": document.insurer,
        "language": "de",
        "blocks": [_block(block) for block in document.blocks],
    }


def _block(block: Block) -> dict[str, object]:  # noqa: PLR0911 - one shape for each kind of block
    match block:
        case Heading(text, level):
            return {"type": "heading", "text": text, "level": level}
        case Paragraph(text):
            return {"type": "paragraph", "text": text}
        case Note(text, tone):
            return {"type": "note", "text": text, "tone": tone.value}
        case Quote(text, source):
            return {"type": "quote", "text": text, "source": source}
        case Listing(items, numbered):
            return {"type": "listing", "items": list(items), "numbered": numbered}
        case Facts(pairs):
            return {"type": "facts", "pairs": [{"label": label, "value": _cell(value)} for label, value in pairs]}
        case Table(head, rows, caption, widths):
            return {
                "type": "table",
                "head": list(head),
                "rows": [[_cell(cell) for cell in row] for row in rows],
                "caption": caption,
                "widths": None if widths is None else list(widths),
            }
        case Columns(left, right):
            return {
                "type": "columns",
                "left": [_block(inner) for inner in left],
                "right": [_block(inner) for inner in right],
            }


def _cell(cell: Cell) -> str | dict[str, str]:
    return {"text": cell.text, "tone": cell.tone.value} if isinstance(cell, Mark) else cell
