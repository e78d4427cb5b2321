"""What a study will take, before anything is spent: from the models' shapes, or from a count without weights."""
