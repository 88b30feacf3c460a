"""The benchmark: suites of tasks on which every rule is tried, and the map of the family that comes of it."""
