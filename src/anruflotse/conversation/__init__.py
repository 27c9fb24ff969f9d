"""What may happen in a call: a pure state machine."""
