"""One reader per kind of data set."""
