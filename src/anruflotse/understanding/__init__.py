"""Words to concerns, concerns to decisions."""
