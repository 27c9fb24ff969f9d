"""Envelope encryption: who holds the master key, and what is wrapped under it."""
