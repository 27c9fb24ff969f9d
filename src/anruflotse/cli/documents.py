"""`anruflotse documents`: what the law wants on paper, made from the settings and registers of this system."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anruflotse.cli.options import Config, Data, Json, emit, examples, load

if TYPE_CHECKING:
    from anruflotse.documents import Document

Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where they go; DATA/documents if not given.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "documents", epilog=examples("anruflotse documents", "anruflotse documents --out /srv/datenschutz --json")
    )(documents)


def documents(config: Config = None, data: Data = None, out: Out = None, as_json: Json = False) -> None:
    """Write the compliance documents (in German), each as PDF, web page and JSON, with today's date in their names.

    The record of processing activities (Art. 30 GDPR), the deletion concept (DIN 66398), technical and organisational
    measures, the input of the impact assessment (Art. 35), and the access matrix. What only the insurer can know is
    marked in them as open. A second run on the same day replaces the day's files.
    """
    settings = load(config, data)
    from anruflotse import compliance
    from anruflotse.clock import SystemClock
    from anruflotse.documents import html, pdf, plain

    system = compliance.observe(settings, SystemClock())
    directory = settings.data / "documents" if out is None else out
    for key, document in compliance.papers(system).items():
        written = {
            "pdf": pdf(document),
            "html": html(document).encode(),
            "json": json.dumps(plain(document), ensure_ascii=False, indent=1).encode(),
        }
        name = f"{key}-{system.today.isoformat()}"
        files = {kind: _write(directory, f"{name}.{kind}", content) for kind, content in written.items()}
        emit(_record(key, document, files, written), as_json, f"{document.title}: {files['pdf']}")


def _write(directory: Path, name: str, content: bytes) -> Path:
    """Whole or not at all: a document of that name is replaced by a finished one."""
    path, unfinished = directory / name, directory / f".{name}.new"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}). Name a folder that can be written to."
        raise typer.BadParameter(message, param_hint="--out") from error
    return path


def _record(key: str, document: Document, files: dict[str, Path], written: dict[str, bytes]) -> dict[str, object]:
    return {
        "document": key,
        "title": document.title,
        "at": document.iso,
        "files": {kind: str(path) for kind, path in files.items()},
        "sha256": {kind: hashlib.sha256(content).hexdigest() for kind, content in written.items()},
    }
