"""Who wanted what, what for, and what came of it: a trail in which no change, gap or cut goes unnoticed."""
