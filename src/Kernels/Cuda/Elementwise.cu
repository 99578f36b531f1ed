// Operations that treat every float alike, on dense arrays. Outputs may be inputs.
#include "Common.cuh"

#define FOR_EACH(i, n) for (i64 i = globalThread(); i < (n); i += globalThreads())

extern "C" __global__ void __launch_bounds__(256) elementwise_add(const float* a, const float* b, float* y, i64 n)
{
    FOR_EACH(i, n) y[i] = a[i] + b[i];
}

extern "C" __global__ void __launch_bounds__(256) elementwise_multiply(const float* a, const float* b, float* y, i64 n)
{
    FOR_EACH(i, n) y[i] = a[i] * b[i];
}

extern "C" __global__ void __launch_bounds__(256) elementwise_scale(const float* x, float factor, float* y, i64 n)
{
    FOR_EACH(i, n) y[i] = factor * x[i];
}

extern "C" __global__ void __launch_bounds__(256) elementwise_fill(float* y, float value, i64 n)
{
    FOR_EACH(i, n) y[i] = value;
}

// y = x + t r, the language gate.
extern "C" __global__ void __launch_bounds__(256) elementwise_gate(const float* t, const float* r, const float* x, float* y, i64 n)
{
    FOR_EACH(i, n) y[i] = fmaf(t[i], r[i], x[i]);
}

// The gradients of a b; either may be null.
extern "C" __global__ void __launch_bounds__(256) elementwise_multiply_backward(const float* a, const float* b, const float* dy, float* da, float* db, i64 n)
{
    FOR_EACH(i, n)
    {
        float d = dy[i], left = a[i], right = b[i];
        if (da) da[i] = d * right;
        if (db) db[i] = d * left;
    }
}
