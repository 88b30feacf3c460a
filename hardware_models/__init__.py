"""Models of neuromorphic hardware under which a network can learn; found by neurorules through an entry point."""
