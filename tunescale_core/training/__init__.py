"""Supervised fine-tuning: the recipe, how much of it is done at once, and the run itself."""
