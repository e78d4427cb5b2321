"""Cells to compare, read from records or a published table, and what follows for any two of them."""
