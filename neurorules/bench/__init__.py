"""`neurorules bench`: what a training step costs here, beside other libraries, bare products and memory."""

from __future__ import annotations
