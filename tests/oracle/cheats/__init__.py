"""Signals and neurons that read what they do not declare, for the audit to catch; and one that is honest."""
