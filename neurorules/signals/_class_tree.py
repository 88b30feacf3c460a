"""Prediction among the closest subset of classes: prototypes in a binary tree, in which a sample goes down one path.

Source: Kohan, Rietman & Siegelmann 2023, prediction by comparing with a subset of the classes. How the subset is found
is not said there; here neighbouring classes are merged, pair by pair, into nodes whose rows are the means of theirs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Node(NamedTuple):
    """A set of classes, the mean of their prototypes (N,), and the two halves of the set; no halves for one class."""

    classes: tuple[int, ...]
    row: Tensor
    halves: tuple[Node, Node] | None

    @property
    def depth(self) -> int:
        """Decisions on its longest path."""
        return 0 if self.halves is None else 1 + max(half.depth for half in self.halves)


def class_tree(prototypes: Tensor) -> Node:
    """The tree of prototypes (C, N): the two nodes whose mean rows have the largest cosine are merged, and so on."""
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


def subset_scores(h: Tensor, tree: Node, tau: float) -> Tensor:
    """Log-probability of every class (B, C): each sample meets the halves of the nodes on its own path alone.

    A node left aside shares its probability evenly among its classes.

    Args:
        h: samples, rows of length 1 (B, N).
        tree: of prototypes of length 1 or less.
        tau: temperature of the choice between two halves, > 0.
    """
    scores = h.new_zeros(len(h), len(tree.classes))
    _descend(h, tree, tau, torch.arange(len(h), device=h.device), h.new_zeros(len(h)), scores)
    return scores


def _descend(h: Tensor, node: Node, tau: float, here: Tensor, so_far: Tensor, scores: Tensor) -> None:
    """Send the samples `here` on from a node they reached with log-probability `so_far`."""
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
