"""A base model: where it lies, what it is, how it talks, and opening it."""
