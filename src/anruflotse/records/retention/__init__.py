"""How records end, on time and for good: the sweep, the journal of erasures, and what a restore brings back."""
