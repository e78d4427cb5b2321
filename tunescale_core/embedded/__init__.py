"""The miniature family: its world, its tokenizer, its weights, and the recipe that made them."""
