// The boundary loss, 1 - F1 of the pixels on the boundary of each class, and its gradient together with that of the Dice loss.
// Maps are [sample, height, width, 2], one channel per class; blockIdx.y is the sample.
#include "LossPixel.cuh"

#define PIXELS_PER_BLOCK 4096

// 1 - p and 1 - t of each class.
extern "C" __global__ void __launch_bounds__(THREADS) boundary_outside(const float2* __restrict__ logits, const u8* __restrict__ target, i64 pixels, float2* outside, float2* trueOutside)
{
    i64 i = globalThread();
    if (i >= pixels) return;
    Probabilities p = probabilitiesOf(logits[i]);
    outside[i] = make_float2((float)p.foreground, (float)p.background);
    trueOutside[i] = target[i] != 0 ? make_float2(1.f, 0.f) : make_float2(0.f, 1.f);
}

// edge = the largest neighbour of outside less outside itself.
extern "C" __global__ void __launch_bounds__(THREADS) boundary_edge(const float* largest, const float* __restrict__ outside, float* edge, i64 n)
{
    for (i64 i = globalThread(); i < n; i += globalThreads()) edge[i] = largest[i] - outside[i];
}

// Sums over the pixels of a sample, for each class.
enum BoundarySum { Hit, Edge, Found, TrueEdge, BOUNDARY_SUMS };

// partials [sample][chunk][class][BOUNDARY_SUMS].
extern "C" __global__ void __launch_bounds__(THREADS) boundary_sums(
    const float* __restrict__ edge, const float* __restrict__ near, const float* __restrict__ trueEdge, const float* __restrict__ nearTrue, i64 pixels, double* partials)
{
    __shared__ double shared[WARPS][2 * BOUNDARY_SUMS];
    i64 first = (i64)blockIdx.x * PIXELS_PER_BLOCK, last = min(pixels, first + PIXELS_PER_BLOCK), sample = blockIdx.y * pixels;
    double sums[2 * BOUNDARY_SUMS] = {};
    for (i64 pixel = first + threadIdx.x; pixel < last; pixel += THREADS)
        #pragma unroll
        for (int c = 0; c < 2; c++)
        {
            i64 i = 2 * (sample + pixel) + c;
            sums[c * BOUNDARY_SUMS + Hit] += (double)edge[i] * nearTrue[i];
            sums[c * BOUNDARY_SUMS + Edge] += edge[i];
            sums[c * BOUNDARY_SUMS + Found] += (double)near[i] * trueEdge[i];
            sums[c * BOUNDARY_SUMS + TrueEdge] += trueEdge[i];
        }
    blockSums<WARPS>(sums, shared);
    if (threadIdx.x != 0) return;
    #pragma unroll
    for (int i = 0; i < 2 * BOUNDARY_SUMS; i++) partials[((i64)blockIdx.y * gridDim.x + blockIdx.x) * 2 * BOUNDARY_SUMS + i] = sums[i];
}

#define F1_EPSILON 1e-7

// The derivative of the loss by edge is nearTrue times one of these + another, that by near is trueEdge times the third.
struct Slopes
{
    float nearTrue, edge, trueEdge;
};

// One block, a thread per sample: slopes [sample][class], and loss += factor times the sum of 1 - F1.
extern "C" __global__ void __launch_bounds__(THREADS) boundary_finish(const double* __restrict__ partials, int samples, int chunks, double factor, Slopes* slopes, float* loss)
{
    __shared__ double shared[WARPS][1];
    double all[1] = {};
    for (int sample = threadIdx.x; sample < samples; sample += THREADS)
        for (int c = 0; c < 2; c++)
        {
            double sums[BOUNDARY_SUMS] = {};
            for (int chunk = 0; chunk < chunks; chunk++)
                #pragma unroll
                for (int i = 0; i < BOUNDARY_SUMS; i++) sums[i] += partials[(((i64)sample * chunks + chunk) * 2 + c) * BOUNDARY_SUMS + i];
            double edges = sums[Edge] + F1_EPSILON, trueEdges = sums[TrueEdge] + F1_EPSILON, precision = sums[Hit] / edges, recall = sums[Found] / trueEdges, both = precision + recall + F1_EPSILON;
            double byPrecision = -factor * 2 * recall * (recall + F1_EPSILON) / (both * both), byRecall = -factor * 2 * precision * (precision + F1_EPSILON) / (both * both);
            slopes[2 * sample + c] = Slopes{(float)(byPrecision / edges), (float)(-byPrecision * precision / edges), (float)(byRecall / trueEdges)};
            all[0] += factor * (1 - 2 * precision * recall / both);
        }
    blockSums<WARPS>(all, shared);
    if (threadIdx.x == 0) *loss += (float)all[0];
}

// dEdge from what max-pooling back of trueEdge has brought it; changed in place.
extern "C" __global__ void __launch_bounds__(THREADS) boundary_edge_gradient(float* dEdge, const float* __restrict__ nearTrue, const Slopes* __restrict__ slopes, i64 pixels)
{
    i64 element = globalThread(), i = 2 * blockIdx.y * pixels + element;
    if (element >= 2 * pixels) return;
    Slopes slope = slopes[2 * blockIdx.y + (element & 1)];
    dEdge[i] = slope.trueEdge * dEdge[i] + slope.nearTrue * nearTrue[i] + slope.edge;
}

// The gradient of the logits: dOutside = pooled - dEdge, pooled being dEdge pooled back; the edges were found on 1 - p.
extern "C" __global__ void __launch_bounds__(THREADS) boundary_gradient(
    const float2* __restrict__ logits, const u8* __restrict__ target, const float2* __restrict__ pooled, const float2* __restrict__ dEdge, const double* __restrict__ diceTotals, double diceFactor, i64 pixels, float2* dLogits)
{
    i64 pixel = globalThread(), i = blockIdx.y * pixels + pixel;
    if (pixel >= pixels) return;
    Probabilities p = probabilitiesOf(logits[i]);
    double derivative = diceDerivative(diceTotals + blockIdx.y * DICE_SUMS, diceFactor, p, target[i] != 0);
    derivative += (pooled[i].x - dEdge[i].x) - (pooled[i].y - dEdge[i].y);
    dLogits[i] = gradientOf(derivative * p.background * p.foreground);
}
