"""What an operator can set: one YAML file plus environment variables, read once at start and never changed.

`load` reads them, `Settings` is what it gives, `effective` says where every value came from, and `example` writes a
commented file to start from. Every wrong key or value is a `SettingsError` whose sentence says what is allowed.
"""

from anruflotse.settings.example import example
from anruflotse.settings.keys import Leaf, leaves
from anruflotse.settings.models import (
    Call,
    Console,
    Departments,
    Insurer,
    Logging,
    PrivacyContact,
    Processors,
    Prompts,
    Records,
    Registration,
    Retention,
    Rights,
    Settings,
    Sip,
    Speech,
    Tls,
    Understanding,
)
from anruflotse.settings.reading import Effective, SettingsError, effective, load

__all__ = [
    "Call",
    "Console",
    "Departments",
    "Effective",
    "Insurer",
    "Leaf",
    "Logging",
    "PrivacyContact",
    "Processors",
    "Prompts",
    "Records",
    "Registration",
    "Retention",
    "Rights",
    "Settings",
    "SettingsError",
    "Sip",
    "Speech",
    "Tls",
    "Understanding",
    "effective",
    "example",
    "leaves",
    "load",
]
