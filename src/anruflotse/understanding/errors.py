"""The error of this room."""


class UnderstandingError(Exception):
    """Understanding cannot do its work (model missing or damaged, corpus malformed); the message says what to do."""
