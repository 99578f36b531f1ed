// Cross entropy, Dice and focal loss of two classes. Sums are made in chunks of pixels, blockIdx = (chunk, sample), which are
// added in their order; the loss stays on the GPU.
#include "LossPixel.cuh"

#define PIXELS_PER_BLOCK 4096

// The published weights are float32 numbers.
DEVICE double weightOf(bool onObject) { return onObject ? (double)1.1f : (double)0.9f; }

// Weighted loss and weight of each chunk: partials [chunk][2].
extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy_sums(const float2* __restrict__ logits, const u8* __restrict__ target, i64 pixels, double* partials)
{
    __shared__ double shared[WARPS][2];
    i64 first = (i64)blockIdx.x * PIXELS_PER_BLOCK, last = min(pixels, first + PIXELS_PER_BLOCK);
    double sums[2] = {};
    for (i64 i = first + threadIdx.x; i < last; i += THREADS)
    {
        bool onObject = target[i] != 0;
        double difference = (double)logits[i].y - logits[i].x, lead = onObject ? difference : -difference;
        sums[0] += weightOf(onObject) * ((lead < 0 ? -lead : 0) + log(1 + exp(-fabs(lead))));
        sums[1] += weightOf(onObject);
    }
    blockSums<WARPS>(sums, shared);
    if (threadIdx.x != 0) return;
    partials[2 * blockIdx.x] = sums[0];
    partials[2 * blockIdx.x + 1] = sums[1];
}

// One block: totals[2] and the loss.
extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy_finish(const double* __restrict__ partials, i64 chunks, double* totals, float* loss)
{
    __shared__ double shared[WARPS][2];
    double sums[2] = {};
    for (i64 i = threadIdx.x; i < chunks; i += THREADS)
    {
        sums[0] += partials[2 * i];
        sums[1] += partials[2 * i + 1];
    }
    blockSums<WARPS>(sums, shared);
    if (threadIdx.x != 0) return;
    totals[0] = sums[0];
    totals[1] = sums[1];
    *loss = (float)(sums[0] / sums[1]);
}

extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy_gradient(const float2* __restrict__ logits, const u8* __restrict__ target, i64 pixels, const double* __restrict__ totals, float2* dLogits)
{
    i64 i = globalThread();
    if (i >= pixels) return;
    bool onObject = target[i] != 0;
    double difference = (double)logits[i].y - logits[i].x, lead = onObject ? difference : -difference, e = exp(-fabs(lead));
    double wrong = weightOf(onObject) / totals[1] * (lead < 0 ? 1 : e) / (1 + e);
    dLogits[i] = gradientOf(onObject ? -wrong : wrong);
}

#define FOCAL_ALPHA 0.25
#define FOCAL_EPSILON 1e-5

struct Focal
{
    double loss, derivative;    // of both classes together, by the probability of the pixel's class
};

DEVICE Focal focalOf(const Probabilities& p, bool onObject)
{
    double right = onObject ? p.foreground : p.background, wrong = onObject ? p.background : p.foreground;
    double logs = log(right + FOCAL_EPSILON) + log(wrong + FOCAL_EPSILON);
    return Focal{-FOCAL_ALPHA * wrong * wrong * logs, FOCAL_ALPHA * wrong * (2 * logs - wrong * (1 / (right + FOCAL_EPSILON) - 1 / (wrong + FOCAL_EPSILON)))};
}

// partials [sample][chunk][DICE_SUMS].
extern "C" __global__ void __launch_bounds__(THREADS) dice_sums(const float2* __restrict__ logits, const u8* __restrict__ target, i64 pixels, int withFocal, double* partials)
{
    __shared__ double shared[WARPS][DICE_SUMS];
    i64 first = (i64)blockIdx.x * PIXELS_PER_BLOCK, last = min(pixels, first + PIXELS_PER_BLOCK), sample = blockIdx.y * pixels;
    double sums[DICE_SUMS] = {};
    for (i64 i = first + threadIdx.x; i < last; i += THREADS)
    {
        bool onObject = target[sample + i] != 0;
        Probabilities p = probabilitiesOf(logits[sample + i]);
        addDice(sums, p, onObject);
        if (withFocal) sums[FocalSum] += focalOf(p, onObject).loss;
    }
    blockSums<WARPS>(sums, shared);
    if (threadIdx.x != 0) return;
    #pragma unroll
    for (int i = 0; i < DICE_SUMS; i++) partials[((i64)blockIdx.y * gridDim.x + blockIdx.x) * DICE_SUMS + i] = sums[i];
}

// One block: totals [sample][DICE_SUMS], and loss = the sum over the samples of diceFactor dice + focalFactor focal.
extern "C" __global__ void __launch_bounds__(THREADS) dice_finish(const double* __restrict__ partials, int samples, int chunks, double diceFactor, double focalFactor, double* totals, float* loss)
{
    __shared__ double shared[WARPS][1];
    double all[1] = {};
    for (int sample = threadIdx.x; sample < samples; sample += THREADS)
    {
        double sums[DICE_SUMS] = {};
        for (int chunk = 0; chunk < chunks; chunk++)
            #pragma unroll
            for (int i = 0; i < DICE_SUMS; i++) sums[i] += partials[((i64)sample * chunks + chunk) * DICE_SUMS + i];
        #pragma unroll
        for (int i = 0; i < DICE_SUMS; i++) totals[sample * DICE_SUMS + i] = sums[i];
        all[0] += diceFactor * diceLoss(sums) + focalFactor * sums[FocalSum];
    }
    blockSums<WARPS>(all, shared);
    if (threadIdx.x == 0) *loss = (float)all[0];
}

extern "C" __global__ void __launch_bounds__(THREADS) dice_gradient(
    const float2* __restrict__ logits, const u8* __restrict__ target, i64 pixels, const double* __restrict__ totals, double diceFactor, double focalFactor, float2* dLogits)
{
    i64 pixel = globalThread(), i = blockIdx.y * pixels + pixel;
    if (pixel >= pixels) return;
    bool onObject = target[i] != 0;
    Probabilities p = probabilitiesOf(logits[i]);
    double derivative = diceDerivative(totals + blockIdx.y * DICE_SUMS, diceFactor, p, onObject);
    if (focalFactor != 0) derivative += focalFactor * (onObject ? 1 : -1) * focalOf(p, onObject).derivative;
    dLogits[i] = gradientOf(derivative * p.background * p.foreground);
}
