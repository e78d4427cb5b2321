"""Gates: a run held against its baseline, figure by figure."""
