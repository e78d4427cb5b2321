"""What was measured of one cell, to and from disk."""
