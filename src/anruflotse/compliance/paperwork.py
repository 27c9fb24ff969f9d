"""The five documents, each made of the same observation of the system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anruflotse.compliance import access, activities, assessment, deletion, measures
from anruflotse.compliance.system import System
from anruflotse.documents import Block, Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One kind of document. `key` names its files; `basis` is the law or norm that asks for it."""

    key: str
    title: str
    basis: str
    blocks: Callable[[System], tuple[Block, ...]]

    def of(self, system: System) -> Document:
        """The document for `system`, dated with its moment."""
        subtitle = f"Sprachassistent (Voicebot), {self.basis}"
        return Document(self.title, subtitle, system.at, system.insurer, self.blocks(system))


PAPERS: tuple[Paper, ...] = (
    Paper(
        key="verarbeitungsverzeichnis",
        title="Verzeichnis der Verarbeitungstätigkeiten",
        basis="Art. 30 Abs. 1 DSGVO",
        blocks=activities.blocks,
    ),
    Paper(key="loeschkonzept", title="Löschkonzept", basis="Aufbau nach DIN 66398", blocks=deletion.blocks),
    Paper(
        key="massnahmen",
        title="Technische und organisatorische Maßnahmen",
        basis="Art. 24, 25 und 32 DSGVO",
        blocks=measures.blocks,
    ),
    Paper(
        key="folgenabschaetzung",
        title="Grundlage der Datenschutz-Folgenabschätzung",
        basis="Art. 35 DSGVO",
        blocks=assessment.blocks,
    ),
    Paper(key="zugriffsmatrix", title="Zugriffsmatrix", basis="Art. 25 und 32 DSGVO", blocks=access.blocks),
)
"""All of them, in the order in which they are read."""


def papers(system: System) -> dict[str, Document]:
    """Every document by its key."""
    return {paper.key: paper.of(system) for paper in PAPERS}
