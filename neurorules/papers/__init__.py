"""The papers that neurorules reproduces: their tables, and what trains these tables again."""
