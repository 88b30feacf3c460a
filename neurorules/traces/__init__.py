"""Recorded activity: the trace file, export to other formats, and figures."""
