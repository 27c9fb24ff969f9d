"""The revisions of the record store."""
