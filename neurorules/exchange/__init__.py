"""Nets in and out: what a net from elsewhere brings, a normalisation folded away, and graphs of NIR."""
