"""Surrogates and other factors of the membrane with which scans are tried, one of each shape."""

from __future__ import annotations

import math

from neurorules.native.scans import Psi, PsiShape

PSIS = [
    Psi(PsiShape.BOXCAR, 2.0, 0.5),
    Psi(PsiShape.TRIANGLE, 0.8, 0.3),
    Psi(PsiShape.FAST_SIGMOID, 25.0),
    Psi(PsiShape.ATAN, math.pi, 1.0),
    Psi(PsiShape.POSITIVE, 1.0, -1.0),
    Psi(PsiShape.FLAT, 1.0, -0.5),
]
