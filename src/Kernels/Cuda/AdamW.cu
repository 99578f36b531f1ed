// AdamW on many parameters at once, and the norm of their gradients. blockIdx.y is the parameter.
#include "Doubles.cuh"

#define MOST_PARTS 48
#define WARPS 8

// A parameter with its gradient and moments; largestSecond is null without AMSGrad.
struct Part
{
    float* parameter;
    const float* gradient;
    float *first, *second, *largestSecond;
    i64 count;
    float decay, stepSize, secondCorrection;
};

struct Parts
{
    Part parts[MOST_PARTS];
};

struct Factors
{
    float gradientScale, beta1, oneMinusBeta1, beta2, oneMinusBeta2, epsilon;
};

// Products and sums are rounded separately, as on the CPU, so that both give the same bits.
extern "C" __global__ void __launch_bounds__(256) adamw_step(Parts parts, Factors f)
{
    const Part& part = parts.parts[blockIdx.y];
    for (i64 i = globalThread(); i < part.count; i += globalThreads())
    {
        float g = __fmul_rn(part.gradient[i], f.gradientScale);
        float m = __fadd_rn(__fmul_rn(part.first[i], f.beta1), __fmul_rn(g, f.oneMinusBeta1));
        float v = __fadd_rn(__fmul_rn(part.second[i], f.beta2), __fmul_rn(__fmul_rn(g, g), f.oneMinusBeta2));
        part.first[i] = m;
        part.second[i] = v;
        if (part.largestSecond) part.largestSecond[i] = v = fmaxf(part.largestSecond[i], v);
        float denominator = __fadd_rn(__fdiv_rn(__fsqrt_rn(v), part.secondCorrection), f.epsilon);
        part.parameter[i] = __fadd_rn(__fmul_rn(part.parameter[i], part.decay), -__fdiv_rn(__fmul_rn(part.stepSize, m), denominator));
    }
}

// Sums of squares of the gradients: partials [parameter][block].
extern "C" __global__ void __launch_bounds__(256) squares_of_parts(Parts parts, double* partials)
{
    __shared__ double shared[WARPS][1];
    const Part& part = parts.parts[blockIdx.y];
    double sums[1] = {};
    for (i64 i = globalThread(); i < part.count; i += globalThreads()) sums[0] += (double)part.gradient[i] * part.gradient[i];
    blockSums<WARPS>(sums, shared);
    if (threadIdx.x == 0) partials[(i64)blockIdx.y * gridDim.x + blockIdx.x] = sums[0];
}

// One block: adds n numbers to *total, in a fixed order.
extern "C" __global__ void __launch_bounds__(256) add_to_total(const double* __restrict__ partials, int n, double* total)
{
    __shared__ double shared[WARPS][1];
    double sums[1] = {};
    for (int i = threadIdx.x; i < n; i += 256) sums[0] += partials[i];
    blockSums<WARPS>(sums, shared);
    if (threadIdx.x == 0) *total += sums[0];
}
