"""Intervals, tests and power for what records show. Pure functions over numpy and scipy."""
