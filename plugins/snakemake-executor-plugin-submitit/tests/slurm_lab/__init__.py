"""A real SLURM with two nodes on one machine, for tests of this plugin and of workflows that use it."""
