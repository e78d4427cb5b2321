"""Prompts in, completions out, by each way of serving a model."""
