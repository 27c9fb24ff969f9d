"""Anruflotse: the telephone voicebot that tells the truth about what it records."""

__version__ = "0.1.0"
