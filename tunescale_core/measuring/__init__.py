"""One cell: its variant opened as it is served, asked, timed, scored, and recorded."""
