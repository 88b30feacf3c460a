"""The papers that neurorules reproduces: their tables, and the command that trains them again beside ours."""
