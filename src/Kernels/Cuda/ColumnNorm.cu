// What batch norm and instance norm share: statistics over the rows of groups of matrices [groups, rows, columns]. A block has
// 32 columns and a chunk of rows; blockIdx = (columns, chunk, group). Partial results are [group][chunk][2][columns].
#include "Common.cuh"

#define WARPS 8
#define THREADS 256

struct Place
{
    int column, warp;
    i64 first, last;        // rows of the chunk within the group
    i64 group;
    bool isInside;
};

DEVICE Place myPlace(i64 rows, int columns, int rowsPerChunk)
{
    Place place;
    place.column = blockIdx.x * 32 + (threadIdx.x & 31);
    place.warp = threadIdx.x >> 5;
    place.first = (i64)blockIdx.y * rowsPerChunk;
    place.last = min(rows, place.first + rowsPerChunk);
    place.group = blockIdx.z;
    place.isInside = place.column < columns;
    return place;
}

// Rows of a chunk; those at the end may have none.
DEVICE i64 rowsOf(int chunk, i64 rows, int rowsPerChunk) { return max(0LL, min(rows, (i64)(chunk + 1) * rowsPerChunk) - (i64)chunk * rowsPerChunk); }

// The sum over the warps of a block, for each lane; in every thread, always added in the same order.
template <class T> DEVICE T sumOverWarps(T x, T (*sums)[33])
{
    int lane = threadIdx.x & 31;
    sums[threadIdx.x >> 5][lane] = x;
    __syncthreads();
    x = 0;
    for (int w = 0; w < WARPS; w++) x += sums[w][lane];
    __syncthreads();
    return x;
}

// Mean and sum of squared distances from it, for each chunk of rows.
extern "C" __global__ void __launch_bounds__(THREADS) column_moments(const float* __restrict__ x, i64 rows, int columns, int rowsPerChunk, float* partials)
{
    __shared__ float sums[WARPS][33];
    Place place = myPlace(rows, columns, rowsPerChunk);
    x += place.group * rows * columns + place.column;
    float sum = 0.f, squares = 0.f;
    if (place.isInside)
        for (i64 row = place.first + place.warp; row < place.last; row += WARPS) sum += x[row * columns];
    float mean = sumOverWarps(sum, sums) / max(1LL, rowsOf(blockIdx.y, rows, rowsPerChunk));
    if (place.isInside)
        for (i64 row = place.first + place.warp; row < place.last; row += WARPS)
        {
            float distance = x[row * columns] - mean;
            squares += distance * distance;
        }
    squares = sumOverWarps(squares, sums);
    if (place.warp != 0 || !place.isInside) return;
    partials += (place.group * gridDim.y + blockIdx.y) * 2 * columns;
    partials[place.column] = mean;
    partials[columns + place.column] = squares;
}

// Joins the chunks (Chan, Golub and LeVeque): moments [group][2][columns], mean and biased variance.
extern "C" __global__ void __launch_bounds__(THREADS) column_moments_join(const float* __restrict__ partials, i64 rows, int columns, int rowsPerChunk, int chunks, int groups, double* moments)
{
    i64 i = globalThread();
    if (i >= (i64)groups * columns) return;
    i64 group = i / columns, column = i % columns;
    partials += group * chunks * 2 * columns + column;
    double mean = 0, squares = 0;
    for (int chunk = 0; chunk < chunks; chunk++)
        mean += (double)rowsOf(chunk, rows, rowsPerChunk) * partials[(i64)chunk * 2 * columns];
    mean /= rows;
    for (int chunk = 0; chunk < chunks; chunk++)
    {
        double distance = partials[(i64)chunk * 2 * columns] - mean;
        squares += partials[((i64)chunk * 2 + 1) * columns] + rowsOf(chunk, rows, rowsPerChunk) * distance * distance;
    }
    moments += group * 2 * columns + column;
    moments[0] = mean;
    moments[columns] = squares / rows;
}

// mean and rstd of each group from its moments. Running statistics, if given, move by momentum; unbiased = rows / (rows - 1).
extern "C" __global__ void __launch_bounds__(THREADS) column_statistics(
    const double* __restrict__ moments, int columns, int groups, float eps, float* mean, float* rstd, float* runningMean, float* runningVariance, float momentum, double unbiased)
{
    i64 i = globalThread();
    if (i >= (i64)groups * columns) return;
    moments += i / columns * 2 * columns + i % columns;
    double average = moments[0], variance = moments[columns];
    if (mean) mean[i] = (float)average;
    rstd[i] = (float)(1 / sqrt(variance + eps));
    if (!runningMean) return;
    runningMean[i] = (float)((1.0 - momentum) * runningMean[i] + momentum * average);
    runningVariance[i] = (float)((1.0 - momentum) * runningVariance[i] + momentum * variance * unbiased);
}

// mean and rstd from running statistics.
extern "C" __global__ void __launch_bounds__(THREADS) column_statistics_running(const float* runningMean, const float* runningVariance, int columns, float eps, float* mean, float* rstd)
{
    int i = (int)globalThread();
    if (i >= columns) return;
    mean[i] = runningMean[i];
    rstd[i] = (float)(1 / sqrt((double)runningVariance[i] + eps));
}

// The normalised x; without mean, x is normalised already.
DEVICE float normalised(float x, const float* mean, float average, float scale) { return mean ? (x - average) * scale : x; }

// y = gamma n + beta with n = (x - mean) rstd, cut off below 0 with relu; gamma and beta may be null. All of the groups' mean.
extern "C" __global__ void __launch_bounds__(THREADS) column_normalise(
    const float* x, const float* __restrict__ mean, const float* __restrict__ rstd, const float* __restrict__ gamma, const float* __restrict__ beta, float* y, i64 rows, int columns, int rowsPerChunk, int relu)
{
    Place place = myPlace(rows, columns, rowsPerChunk);
    if (!place.isInside) return;
    i64 first = place.group * rows * columns + place.column, statistic = place.group * columns + place.column;
    float average = mean[statistic], scale = rstd[statistic], gain = gamma ? gamma[place.column] : 1.f, offset = beta ? beta[place.column] : 0.f;
    for (i64 row = place.first + place.warp; row < place.last; row += WARPS)
    {
        float value = fmaf((x[first + row * columns] - average) * scale, gain, offset);
        y[first + row * columns] = relu ? fmaxf(value, 0.f) : value;
    }
}

// Sums of g and g n over each chunk, in double: they may cancel nearly all of what is added. Behind a ReLU (beta is given) g
// counts only where gamma n + beta is positive.
extern "C" __global__ void __launch_bounds__(THREADS) column_norm_gradient_sums(
    const float* __restrict__ x, const float* __restrict__ mean, const float* __restrict__ rstd, const float* __restrict__ gamma, const float* __restrict__ beta, const float* __restrict__ dy,
    i64 rows, int columns, int rowsPerChunk, double* partials)
{
    __shared__ double sums[WARPS][33];
    Place place = myPlace(rows, columns, rowsPerChunk);
    double sum = 0, product = 0;
    if (place.isInside)
    {
        i64 first = place.group * rows * columns + place.column, statistic = place.group * columns + place.column;
        float average = mean ? mean[statistic] : 0.f, scale = rstd[statistic], gain = beta ? gamma[place.column] : 0.f, offset = beta ? beta[place.column] : 1.f;
        for (i64 row = place.first + place.warp; row < place.last; row += WARPS)
        {
            float n = normalised(x[first + row * columns], mean, average, scale), g = fmaf(n, gain, offset) > 0.f ? dy[first + row * columns] : 0.f;
            sum += g;
            product += (double)g * n;
        }
    }
    sum = sumOverWarps(sum, sums);
    product = sumOverWarps(product, sums);
    if (place.warp != 0 || !place.isInside) return;
    partials += (place.group * gridDim.y + blockIdx.y) * 2 * columns;
    partials[place.column] = sum;
    partials[columns + place.column] = product;
}

// Adds up the chunks in their order: sumG and sumGn [group][columns].
extern "C" __global__ void __launch_bounds__(THREADS) column_norm_add_chunks(const double* __restrict__ partials, int chunks, int columns, int groups, float* sumG, float* sumGn)
{
    i64 i = globalThread();
    if (i >= (i64)groups * columns) return;
    partials += i / columns * chunks * 2 * columns + i % columns;
    double sum = 0, product = 0;
    for (int chunk = 0; chunk < chunks; chunk++)
    {
        sum += partials[(i64)chunk * 2 * columns];
        product += partials[((i64)chunk * 2 + 1) * columns];
    }
    sumG[i] = (float)sum;
    sumGn[i] = (float)product;
}

// dx = gamma rstd (g - share (sumG + n sumGn)); share = 1 / rows, or 0 where the statistics are constants. dx may be dy.
extern "C" __global__ void __launch_bounds__(THREADS) column_norm_gradient(
    const float* __restrict__ x, const float* __restrict__ mean, const float* __restrict__ rstd, const float* __restrict__ gamma, const float* __restrict__ beta, const float* dy,
    const float* __restrict__ sumG, const float* __restrict__ sumGn, float share, float* dx, i64 rows, int columns, int rowsPerChunk)
{
    Place place = myPlace(rows, columns, rowsPerChunk);
    if (!place.isInside) return;
    i64 first = place.group * rows * columns + place.column, statistic = place.group * columns + place.column;
    float average = mean ? mean[statistic] : 0.f, scale = rstd[statistic], gain = beta ? gamma[place.column] : 0.f, offset = beta ? beta[place.column] : 1.f;
    float factor = gamma ? gamma[place.column] * scale : scale, constant = share * sumG[statistic], slope = share * sumGn[statistic];
    for (i64 row = place.first + place.warp; row < place.last; row += WARPS)
    {
        float n = normalised(x[first + row * columns], mean, average, scale), g = fmaf(n, gain, offset) > 0.f ? dy[first + row * columns] : 0.f;
        dx[first + row * columns] = factor * (g - constant - n * slope);
    }
}
