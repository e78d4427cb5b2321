"""Tables from results, and the formats they are shown in."""
