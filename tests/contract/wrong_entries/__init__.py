"""Entries that break their contracts on purpose: each takes a `fault`, and keeps the contract where that is none."""
