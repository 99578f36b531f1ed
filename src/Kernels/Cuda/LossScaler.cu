// Dynamic loss scaling on the GPU, so that the host waits for nothing.
#include "LossScale.cuh"

#define GROWTH_INTERVAL 2000
#define LARGEST_FLOAT 3.402823466e38f

// The gradient of the loss of a part of the batch: what the part counts in the mean, times the scale.
extern "C" __global__ void __launch_bounds__(32) loss_scale_seed(const LossScale* state, float share, float* seed)
{
    if (threadIdx.x == 0) *seed = share * (float)state->scale;
}

// Behind a step. The scale is a float in PyTorch: it does not grow beyond the largest one.
extern "C" __global__ void __launch_bounds__(32) loss_scale_update(LossScale* state)
{
    if (threadIdx.x != 0) return;
    if (hasOverflown(*state))
    {
        state->scale = (float)(state->scale * 0.5);
        state->goodSteps = 0;
    }
    else if (++state->goodSteps == GROWTH_INTERVAL)
    {
        float grown = (float)(state->scale * 2);
        if (grown <= LARGEST_FLOAT) state->scale = grown;
        state->goodSteps = 0;
    }
}
