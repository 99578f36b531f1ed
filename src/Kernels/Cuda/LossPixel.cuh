// What the losses over two classes share: the softmax of a pixel's two logits, and the sums of the Dice loss.
#pragma once
#include "Doubles.cuh"

#define WARPS 8
#define THREADS 256

// Softmax of the logits (background, foreground), each exact to rounding also where the other one is near 1.
struct Probabilities
{
    double background, foreground;
};

DEVICE Probabilities probabilitiesOf(float2 logits)
{
    double difference = (double)logits.y - logits.x, e = exp(-fabs(difference)), larger = 1 / (1 + e), smaller = e / (1 + e);
    return difference < 0 ? Probabilities{larger, smaller} : Probabilities{smaller, larger};
}

// The gradients of both logits from the derivative by foreground - background.
DEVICE float2 gradientOf(double derivative) { return make_float2(-(float)derivative, (float)derivative); }

// Sums over the pixels of a sample: 2 sum(p t) and sum(p p + t) of each class make the Dice loss.
enum DiceSum { BackgroundIntersection, ForegroundIntersection, BackgroundCardinality, ForegroundCardinality, FocalSum, DICE_SUMS };

DEVICE void addDice(double (&sums)[DICE_SUMS], const Probabilities& p, bool onObject)
{
    if (onObject) sums[ForegroundIntersection] += p.foreground;
    else sums[BackgroundIntersection] += p.background;
    sums[BackgroundCardinality] += p.background * p.background + (onObject ? 0 : 1);
    sums[ForegroundCardinality] += p.foreground * p.foreground + (onObject ? 1 : 0);
}

#define DICE_EPSILON 1e-6

DEVICE double diceLoss(const double* sums)
{
    return 2 - 2 * sums[BackgroundIntersection] / (sums[BackgroundCardinality] + DICE_EPSILON) - 2 * sums[ForegroundIntersection] / (sums[ForegroundCardinality] + DICE_EPSILON);
}

// The derivative of factor diceLoss by the foreground's probability less that by the background's.
DEVICE double diceDerivative(const double* sums, double factor, const Probabilities& p, bool onObject)
{
    double background = sums[BackgroundCardinality] + DICE_EPSILON, foreground = sums[ForegroundCardinality] + DICE_EPSILON;
    double backgroundSlope = 4 * factor * sums[BackgroundIntersection] / (background * background), foregroundSlope = 4 * factor * sums[ForegroundIntersection] / (foreground * foreground);
    return foregroundSlope * p.foreground - backgroundSlope * p.background + (onObject ? -2 * factor / foreground : 2 * factor / background);
}
