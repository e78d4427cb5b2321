"""One self-contained page: tables, findings, plots and examples, opened without a network."""
