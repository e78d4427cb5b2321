"""What a study will take, from the models' shapes alone, before anything is spent."""
