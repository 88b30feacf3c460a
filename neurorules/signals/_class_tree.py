"""Prediction by a subset of the classes: class prototypes form a binary tree, and each sample follows one path in it.

`prototypes` uses it for `search=subset`. Source: Kohan, Rietman & Siegelmann 2023, who do not say how the subset is
chosen. Here the two closest nodes are merged repeatedly, and the row of the new node is the mean of the prototypes of
its classes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Node(NamedTuple):
    """A node of the tree, which is a set of classes.

    Args:
        classes: the indices of the classes.
        row: the mean of their prototypes, (N,).
        halves: the two nodes that the set was merged from; None for a single class.
    """

    classes: tuple[int, ...]
    row: Float[Tensor, "N"]
    halves: tuple[Node, Node] | None

    @property
    def depth(self) -> int:
        """Number of decisions on the longest path from here to a single class."""
        return 0 if self.halves is None else 1 + max(half.depth for half in self.halves)


def class_tree(prototypes: Float[Tensor, "C N"]) -> Node:
    """Build the tree of class prototypes: the two nodes whose rows have the largest cosine are merged until one is
    left."""
    nodes = [Node((index,), row, None) for index, row in enumerate(prototypes)]
    while len(nodes) > 1:
        directions = torch.nn.functional.normalize(torch.stack([node.row for node in nodes]), dim=1)
        near = (directions @ directions.T).fill_diagonal_(-torch.inf)
        first, second = divmod(int(near.argmax()), len(nodes))
        one, other = nodes[min(first, second)], nodes[max(first, second)]
        share = len(one.classes) / (len(one.classes) + len(other.classes))
        row = share * one.row + (1 - share) * other.row
        nodes = [n for n in nodes if n is not one and n is not other]
        nodes.append(Node((*one.classes, *other.classes), row, (one, other)))
    return nodes[0]


def subset_scores(h: Float[Tensor, "B N"], tree: Node, tau: float) -> Float[Tensor, "B C"]:
    """Score the classes for each sample. A sample is compared only with the two halves of each node on its path.

    The probability of a node off the path is shared equally among its classes.

    Args:
        h: samples, rows of length 1 (B, N).
        tree: the tree, whose prototypes have a length of 1 or less.
        tau: temperature of the choice between two halves, > 0.

    Returns:
        Log-probability of every class, (B, C).
    """
    scores = h.new_zeros(len(h), len(tree.classes))
    _descend(h, tree, tau, torch.arange(len(h), device=h.device), h.new_zeros(len(h)), scores)
    return scores


def _descend(
    h: Float[Tensor, "B N"], node: Node, tau: float, here: Int[Tensor, "M"], so_far: Float[Tensor, "M"],
    scores: Float[Tensor, "B C"],
) -> None:  # fmt: skip
    """Continue the paths of the M samples `here` from a node that they reached with log-probability `so_far`, and write
    the scores of all classes that leave the path or end it."""
    if node.halves is None or len(here) == 0:
        if len(here):
            scores[here, node.classes[0]] = so_far
        return
    rows = torch.stack([half.row for half in node.halves])
    share = torch.log_softmax(h[here] @ rows.T / tau, 1)
    chosen = share.argmax(1)
    for side, half in enumerate(node.halves):
        goes = chosen == side
        left = here[~goes]
        aside = (so_far + share[:, side])[~goes] - math.log(len(half.classes))
        scores[left[:, None], torch.tensor(half.classes, device=h.device)] = aside[:, None]
        _descend(h, half, tau, here[goes], (so_far + share[:, side])[goes], scores)
