"""The benchmark: suites of tasks on which every rule is trained, and the resulting map of the family of rules."""
