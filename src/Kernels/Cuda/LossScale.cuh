// The factor of a loss whose gradients are computed in half precision.
#pragma once
#include "Common.cuh"

#define LARGEST_DOUBLE 1.7976931348623157e308

// scale: the factor; goodSteps: since it changed last; squares: the sum of the squares of the gradients of the step under way.
struct LossScale
{
    double scale, goodSteps, squares;
};

// Whether a gradient of the step is not finite. Squares of floats do not overflow a double.
DEVICE bool hasOverflown(const LossScale& state) { return !(state.squares <= LARGEST_DOUBLE); }
