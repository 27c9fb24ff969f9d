"""Who may receive data on our behalf, and the gate that engines and targets pass."""
