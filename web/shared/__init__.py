"""Bodies, answers and acts that the routes of several callers have in common."""
