"""What is done with a store as a whole: its files checked, listed, verified, migrated, pruned."""
