"""How fast variants are beside a reference, measured so that noise and a change of machine cancel."""
