"""The study's questions, each computed from results: value, interval, verdict."""
