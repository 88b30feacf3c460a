"""The papers that neurorules reproduces: their tables, and the code that trains them again."""
