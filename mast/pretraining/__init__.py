"""One pretraining run, from prepared data to its four files."""
