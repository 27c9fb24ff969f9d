"""The errors of this room."""


class UnderstandingError(Exception):
    """Understanding cannot do its work (model missing or damaged, corpus malformed); the message says what to do."""


class CorpusError(UnderstandingError):
    """A file of sentences is wrong or too small; the message names the file and the line, never the sentence."""


class VersionError(UnderstandingError):
    """A version of the model is not there, or cannot be put in force; the message says which and what to do."""
