"""What to ship under constraints, how sure that is, and what to measure next where it is not."""
