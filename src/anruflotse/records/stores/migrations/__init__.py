"""How the tables of both databases came about, step by step: one line of revisions for each, `keys` and `rows`.

A revision is never changed once it has been released. It imports nothing of ours, for what it would import changes.
"""
