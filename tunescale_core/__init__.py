"""TuneScale: tune the small model, or scale to the larger one? The library behind the benchmark suite."""
