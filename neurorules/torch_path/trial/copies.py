"""Tensors that are given out as copies, so that the originals cannot be changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from neurorules.language.errors import UserError


class Copies(Mapping[str, Tensor]):
    """A mapping of names to copies of tensors, each of which is copied when it is read.

    Args:
        tensors: the tensors that may be read.
        refusal: the end of the message for any other name.

    Raises:
        UserError: another name is read.
    """

    def __init__(self, tensors: Mapping[str, Tensor], refusal: str) -> None:
        self._tensors, self._refusal = tensors, refusal

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise UserError(f"'{name}' {self._refusal}")
        return self._tensors[name].clone()

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def get(self, name: str, default: Any = None) -> Any:
        """A copy of the tensor of that name, if there is one.

        Args:
            name: the name of the tensor.
            default: the value to return otherwise.

        Returns:
            The copy, or the default.
        """
        return self[name] if name in self._tensors else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)
