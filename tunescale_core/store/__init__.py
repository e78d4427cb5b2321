"""The content-addressed store: checkpoints found by what decides their weights, their files held against hashes."""
