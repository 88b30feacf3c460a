"""The measures that a comparison takes of every run, and their means over seeds; docs/comparing.md defines the
measures.
"""
