def test_support_bot(measure, thresholds):
    """A variant answers as well as the study expects."""
    thresholds(measure())
