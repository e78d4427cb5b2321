"""Placeholder until the self-test is merged."""
