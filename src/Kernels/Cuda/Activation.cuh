// Activations and their derivatives, numbered as Lavt.Kernels.Activation is.
#pragma once
#include "Types.cuh"

enum Activation { None, Relu, Gelu, Tanh, Sigmoid };

DEVICE float sigmoid(float x) { return 1.f / (1.f + expf(-x)); }

// x Phi(x) with the exact error function.
DEVICE float gelu(float x) { return 0.5f * x * (1.f + erff(x * 0.70710678f)); }

template <int ACTIVATION> DEVICE float activate(float x)
{
    switch (ACTIVATION)
    {
        case Relu: return fmaxf(x, 0.f);
        case Gelu: return gelu(x);
        case Tanh: return tanhf(x);
        case Sigmoid: return sigmoid(x);
        default: return x;
    }
}

// The derivative from the input x (GELU) or from the result y (the others).
template <int ACTIVATION> DEVICE float derivative(float x, float y)
{
    switch (ACTIVATION)
    {
        case Relu: return y > 0.f ? 1.f : 0.f;
        case Gelu: return 0.5f * (1.f + erff(x * 0.70710678f)) + x * 0.39894228f * expf(-0.5f * x * x);
        case Tanh: return 1.f - y * y;
        case Sigmoid: return y * (1.f - y);
        default: return 1.f;
    }
}
