"""Rows in, examples out: where rows come from, how files are read, and what is left out."""
