"""The web pages: the public notice, and what an operator on the machine asks about the service's health."""

from __future__ import annotations

from anruflotse.console.health import Health
from anruflotse.console.pages import build
from anruflotse.console.serving import Address, ConsoleError, serve

__all__ = ["Address", "ConsoleError", "Health", "build", "serve"]
