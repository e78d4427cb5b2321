"""A store looked after: what is in it, held against its hashes, pruned, and brought up to date."""
