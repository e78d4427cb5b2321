"""What a study declares: its tables, read and validated, and the grid of variants and cells they expand to."""
