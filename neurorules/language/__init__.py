"""The language in which users describe rules, networks and runs: rule texts, options, settings, registries and errors.

All other packages import this one. It imports neither torch nor Brian2, so that listing and checking names stays fast.
"""
