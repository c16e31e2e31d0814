"""Bodies, answers and acts that the routes of several kinds of callers share."""
