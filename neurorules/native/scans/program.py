"""Compiled programs of a few operations on values over time, which run backwards in one pass over memory.

They save memory traffic: a chain of ten tensor operations writes and reads ten tensors over time, and a program keeps
everything except for its results in the first-level cache.
"""

from __future__ import annotations

import ctypes
from ctypes import c_double, c_int32, c_int64, c_void_p

import torch
from torch import Tensor

from neurorules.native.pages import fresh

from .contract import Psi, PsiShape
from .population import function

OPERATORS = {"+": 0, "-": 1, "*": 2, "/": 3}
LATER, BACK, SLOPE = 4, 5, 6
"""The operations; the numbers are those of scans.c."""
MOST = 32
"""The largest number of inputs and operations of a program together, as in scans.c."""
SLOPES = frozenset({PsiShape.BOXCAR, PsiShape.TRIANGLE, PsiShape.FAST_SIGMOID, PsiShape.ATAN})
"""Shapes of a pseudo-derivative that a program computes."""


class _Input(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("stride", c_int64), ("length", c_int64)]


class _Operation(ctypes.Structure):
    _fields_ = [
        ("out", c_void_p), ("slope", c_double), ("scale", c_double),
        *((name, c_int32) for name in ("kind", "a", "b", "shape")),
    ]  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = [
        ("input", c_void_p), ("operation", c_void_p), ("steps", c_int64), ("plane", c_int64),
        *((name, c_int32) for name in ("inputs", "operations", "threads")),
    ]  # fmt: skip


Term = tuple[str, int]
"""A value of a program: "input" or "operation", and its number among these."""


class Program:
    """A program on values of T steps, B rows and N neurons, which is written operation by operation and then run.

    Args:
        steps: T.
        rows, neurons: B and N.
        like: a tensor of the data type, for which `loops` is true.
    """

    def __init__(self, steps: int, rows: int, neurons: int, like: Tensor) -> None:
        self.steps, self.rows, self.neurons, self.like = steps, rows, neurons, like
        self._inputs: list[tuple[Tensor, int, int]] = []
        self._operations: list[tuple[int, Term, Term, Psi | None]] = []
        self._terms: dict[object, Term] = {}
        self._held: list[Tensor] = []

    @property
    def fits(self) -> bool:
        """Whether the number of inputs and operations is within the limit."""
        return len(self._inputs) + len(self._operations) <= MOST

    def number(self, value: float) -> Term:
        """Add a number as an input."""
        return self.read(self.like.new_tensor(value))

    def read(self, values: Tensor) -> Term:
        """Add an input to the program.

        Args:
            values: (T, B, N), (B, N), (N,) or ().

        Returns:
            The input.
        """
        key: object = (values.data_ptr(), values.shape, values.stride())
        if values.ndim < 2 and values.numel() == 1:
            key = float(values)
        if key not in self._terms:
            self._held.append(values)  # keeps the address from being used by another tensor
            wide = values.ndim == 3 and values.stride(0) != 0
            values = (values[0] if values.ndim == 3 and not wide else values).to(self.like.dtype).contiguous()
            plane = self.rows * self.neurons
            self._inputs.append((values, plane if wide else 0, plane if values.ndim > 1 else values.numel()))
            self._terms[key] = "input", len(self._inputs) - 1
        return self._terms[key]

    def operate(self, operator: str, a: Term, b: Term) -> Term:
        """Add an operation on two values.

        Args:
            operator: one of the four `OPERATORS`.
            a, b: the operands.

        Returns:
            The result of the operation.
        """
        return self._make(OPERATORS[operator], a, b)

    def back(self, value: Term, gate: Term) -> Term:
        """Add the low-pass that runs backwards: R[t] = value[t] + gate[t+1] R[t+1], and R = 0 after the last step.

        Args:
            value, gate: the value and the gate of each step.

        Returns:
            R.
        """
        return self._make(BACK, value, gate)

    def later(self, value: Term) -> Term:
        """The value of the next step, and 0 at the last step."""
        return self._make(LATER, value, value)

    def slope(self, v: Term, v_threshold: Term, psi: Psi) -> Term:
        """Add the pseudo-derivative of a membrane.

        Args:
            v, v_threshold: the membrane and the threshold.
            psi: a surrogate derivative of one of the `SLOPES`.

        Returns:
            psi(v).
        """
        return self._make(SLOPE, v, v_threshold, psi)

    def _make(self, kind: int, a: Term, b: Term, psi: Psi | None = None) -> Term:
        key = kind, a, b, psi
        if key not in self._terms:
            self._operations.append(key)
            self._terms[key] = "operation", len(self._operations) - 1
        return self._terms[key]

    @torch.no_grad()
    def run(self, wanted: list[Term]) -> list[Tensor]:
        """Run the program through all steps.

        Args:
            wanted: the results to return.

        Returns:
            The value of each result in every step, (T, B, N).
        """
        outs = {term: fresh(self.steps, self.rows, self.neurons, like=self.like) for term in wanted}
        inputs, inputs_of = len(self._inputs), {"input": 0, "operation": len(self._inputs)}
        read = (_Input * inputs)(*(_Input(v.data_ptr(), stride, length) for v, stride, length in self._inputs))
        operations = (_Operation * len(self._operations))()
        for number, (kind, a, b, psi) in enumerate(self._operations):
            out = outs.get(("operation", number))
            psi = psi or Psi(PsiShape.FLAT)
            operations[number] = _Operation(
                None if out is None else out.data_ptr(), psi.slope, psi.scale, kind,
                *(inputs_of[side] + index for side, index in (a, b)), psi.shape,
            )  # fmt: skip
        task = _Program(
            ctypes.addressof(read), ctypes.addressof(operations), self.steps, self.rows * self.neurons,
            inputs, len(operations), torch.get_num_threads(),
        )  # fmt: skip
        function("program", self.like.dtype)(ctypes.byref(task))
        return [outs[term] for term in wanted]
