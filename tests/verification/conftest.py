"""Stores in memory, where the machine has room for it: every access to a record waits for the disk otherwise."""

from tests.records.conftest import databases, server, templates, tmp_path

__all__ = ["databases", "server", "templates", "tmp_path"]
