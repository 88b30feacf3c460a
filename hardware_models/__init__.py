"""Models of neuromorphic hardware under which a network can learn. neurorules finds them through an entry point."""
