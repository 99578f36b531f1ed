// y = f(x) and dx = f'(x) dy on dense arrays.
#include "Activation.cuh"
#include "Common.cuh"

template <int ACTIVATION> DEVICE void forward(const float* x, float* y, i64 n)
{
    for (i64 i = globalThread(); i < n; i += globalThreads()) y[i] = activate<ACTIVATION>(x[i]);
}

// What the derivative does not read may be null.
template <int ACTIVATION> DEVICE void backward(const float* x, const float* y, const float* dy, float* dx, i64 n)
{
    for (i64 i = globalThread(); i < n; i += globalThreads())
        dx[i] = dy[i] * derivative<ACTIVATION>(ACTIVATION == Gelu ? x[i] : 0.f, ACTIVATION == Gelu ? 0.f : y[i]);
}

#define ACTIVATION_KERNELS(name, ACTIVATION)                                                                                    \
    extern "C" __global__ void __launch_bounds__(256) name##_forward(const float* x, float* y, i64 n) { forward<ACTIVATION>(x, y, n); } \
    extern "C" __global__ void __launch_bounds__(256) name##_backward(const float* x, const float* y, const float* dy, float* dx, i64 n) { backward<ACTIVATION>(x, y, dy, dx, n); }

ACTIVATION_KERNELS(relu, Relu)
ACTIVATION_KERNELS(gelu, Gelu)
ACTIVATION_KERNELS(tanh, Tanh)
ACTIVATION_KERNELS(sigmoid, Sigmoid)
