"""The losses of --loss on logits (B, 2, H, W) and class indices (B, H, W), as the peer of our fused ones."""
import torch
from torch.nn import functional as F


def cross_entropy(logits, target):
    weights = torch.tensor([0.9, 1.1], dtype=torch.float32)  # as published: rounded to float32 also in float64
    return F.cross_entropy(logits, target, weight=weights.to(logits))


def _probabilities(logits, target):
    """Softmax over the classes, and the target as one-hot, both (B, 2, H, W)."""
    return logits.softmax(1), F.one_hot(target, 2).permute(0, 3, 1, 2).to(logits.dtype)


def _dice(p, t):
    """1 − 2·Σpt / (Σp² + Σt + 1e-6) per sample and class, then the mean of both."""
    return (1.0 - 2.0 * (p * t).sum((2, 3)) / ((p * p + t).sum((2, 3)) + 1e-6)).mean()


def mc_dice(logits, target):
    return _dice(*_probabilities(logits, target))


def dice_focal(logits, target):
    p, t = _probabilities(logits, target)
    right = p * t + (1.0 - p) * (1.0 - t)
    logs = t * torch.log(right + 1e-5) + (1.0 - t) * torch.log(1.0 - right + 1e-5)  # as published: log(1 − right) for t = 0
    return _dice(p, t) + 3.0 * (-0.25 * (1.0 - right) ** 2 * logs).mean()


def _boundary(x):
    """Where a map is lower in some 3x3 neighbour; and the same dilated by 5x5."""
    edge = F.max_pool2d(1.0 - x, 3, 1, 1) - (1.0 - x)
    return edge, F.max_pool2d(edge, 5, 1, 2)


def dice_boundary(logits, target):
    p, t = _probabilities(logits, target)
    (edge, near), (true_edge, near_true) = _boundary(p), _boundary(t)
    precision = (edge * near_true).sum((2, 3)) / (edge.sum((2, 3)) + 1e-7)
    recall = (near * true_edge).sum((2, 3)) / (true_edge.sum((2, 3)) + 1e-7)
    f1 = 2.0 * precision * recall / (precision + recall + 1e-7)
    return _dice(p, t) + 0.05 * (1.0 - f1).mean()


LOSSES = {"ce": cross_entropy, "mc_dice": mc_dice, "dice_focal": dice_focal, "dice_boundary": dice_boundary}
