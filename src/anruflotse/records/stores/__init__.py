"""The two databases and what is in them: rows that say nothing, and the keys that make them readable."""
