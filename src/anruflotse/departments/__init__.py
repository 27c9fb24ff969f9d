"""Who is responsible and reachable."""
