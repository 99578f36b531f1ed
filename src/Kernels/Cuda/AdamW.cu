// AdamW on many parameters at once, and the norm of their gradients. blockIdx.y is the parameter.
#include "Doubles.cuh"
#include "LossScale.cuh"

#define MOST_PARTS 48
#define WARPS 8

// A parameter with its gradient, its moments and the number of its steps; largestSecond is null without AMSGrad.
struct Part
{
    float* parameter;
    const float* gradient;
    float *first, *second, *largestSecond;
    i64* steps;
    i64 count;
    double weightDecay;
};

struct Parts
{
    Part parts[MOST_PARTS];
};

struct Constants
{
    double beta1, beta2;
    float epsilon;
};

// What changes from step to step; in memory of the GPU, so that a step that was captured can be launched again.
struct Rates
{
    double learningRate, gradientScale;
};

// A step of one parameter.
struct Factors
{
    float gradientScale, decay, stepSize, secondCorrection;
    int isSkipped;
};

extern "C" __global__ void __launch_bounds__(32) adamw_set_rates(double learningRate, double gradientScale, Rates* rates)
{
    if (threadIdx.x == 0) *rates = Rates{learningRate, gradientScale};
}

// One block: counts the steps of n parameters and says what adamw_step does to each. With gradients that are not finite (lossScale is null where
// they are not looked at) a step is skipped and does not count.
extern "C" __global__ void __launch_bounds__(64) adamw_prepare(Parts parts, int n, Constants c, const Rates* rates, const LossScale* lossScale, Factors* factors)
{
    int i = threadIdx.x;
    if (i >= n) return;
    const Part& part = parts.parts[i];
    bool isSkipped = lossScale && hasOverflown(*lossScale);
    if (!isSkipped) *part.steps += 1;
    double steps = (double)*part.steps, learningRate = rates->learningRate;
    factors[i] = Factors{
        (float)(rates->gradientScale / (lossScale ? lossScale->scale : 1)),
        (float)(1 - __dmul_rn(learningRate, part.weightDecay)),
        (float)(learningRate / (1 - pow(c.beta1, steps))),
        (float)sqrt(1 - pow(c.beta2, steps)),
        isSkipped};
}

// Products and sums are rounded separately, as on the CPU, so that both give the same bits.
extern "C" __global__ void __launch_bounds__(256) adamw_step(Parts parts, Constants c, const Factors* __restrict__ factors)
{
    const Part& part = parts.parts[blockIdx.y];
    Factors f = factors[blockIdx.y];
    if (f.isSkipped) return;
    float beta1 = (float)c.beta1, rest1 = (float)(1 - c.beta1), beta2 = (float)c.beta2, rest2 = (float)(1 - c.beta2);
    for (i64 i = globalThread(); i < part.count; i += globalThreads())
    {
        float g = __fmul_rn(part.gradient[i], f.gradientScale);
        float m = __fadd_rn(__fmul_rn(part.first[i], beta1), __fmul_rn(g, rest1));
        float v = __fadd_rn(__fmul_rn(part.second[i], beta2), __fmul_rn(__fmul_rn(g, g), rest2));
        part.first[i] = m;
        part.second[i] = v;
        if (part.largestSecond) part.largestSecond[i] = v = fmaxf(part.largestSecond[i], v);
        float denominator = __fadd_rn(__fdiv_rn(__fsqrt_rn(v), f.secondCorrection), c.epsilon);
        part.parameter[i] = __fadd_rn(__fmul_rn(part.parameter[i], f.decay), -__fdiv_rn(__fmul_rn(f.stepSize, m), denominator));
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
