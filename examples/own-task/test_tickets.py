def test_tickets(measure, thresholds):
    """A variant answers as well as the study expects."""
    thresholds(measure())
