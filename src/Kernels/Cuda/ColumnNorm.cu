// What batch norm and instance norm share: statistics over the rows of groups of matrices [groups, rows, columns]. A block has
// 32 columns and a chunk of rows; blockIdx = (columns, chunk, group). Partial results are [group][chunk][2][columns]. All sums are made in
// double and are [group][2][columns], with the number of rows behind them: several GPUs that share a batch add up just these.
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

// The sum over the warps of a block, for each lane; in every thread, always added in the same order.
DEVICE double sumOverWarps(double x, double (*sums)[33])
{
    int lane = threadIdx.x & 31;
    sums[threadIdx.x >> 5][lane] = x;
    __syncthreads();
    x = 0;
    for (int w = 0; w < WARPS; w++) x += sums[w][lane];
    __syncthreads();
    return x;
}

DEVICE void writePartials(const Place& place, int columns, double first, double second, double* partials)
{
    if (place.warp != 0 || !place.isInside) return;
    partials += (place.group * gridDim.y + blockIdx.y) * 2 * columns;
    partials[place.column] = first;
    partials[columns + place.column] = second;
}

// Sums of x and x² over each chunk. The variance is later the difference of two numbers of the size mean², of which double loses about
// 2e-16 (mean / std)² of it: less than the rounding of x to float32 has cost.
extern "C" __global__ void __launch_bounds__(THREADS) column_sums_of_squares(const float* __restrict__ x, i64 rows, int columns, int rowsPerChunk, double* partials)
{
    __shared__ double sums[WARPS][33];
    Place place = myPlace(rows, columns, rowsPerChunk);
    x += place.group * rows * columns + place.column;
    double sum = 0, squares = 0;
    if (place.isInside)
        for (i64 row = place.first + place.warp; row < place.last; row += WARPS)
        {
            double value = x[row * columns];
            sum += value;
            squares += value * value;
        }
    sum = sumOverWarps(sum, sums);
    squares = sumOverWarps(squares, sums);
    writePartials(place, columns, sum, squares, partials);
}

// Adds up the chunks in their order. The sums of one group are also rounded to first and second, unless they are null.
extern "C" __global__ void __launch_bounds__(THREADS) column_norm_add_chunks(
    const double* __restrict__ partials, i64 rows, int chunks, int columns, int groups, double* sums, float* first, float* second)
{
    i64 i = globalThread();
    if (i == 0) sums[(i64)groups * 2 * columns] = (double)rows;
    if (i >= (i64)groups * columns) return;
    partials += i / columns * chunks * 2 * columns + i % columns;
    double a = 0, b = 0;
    for (int chunk = 0; chunk < chunks; chunk++)
    {
        a += partials[(i64)chunk * 2 * columns];
        b += partials[((i64)chunk * 2 + 1) * columns];
    }
    sums += i / columns * 2 * columns + i % columns;
    sums[0] = a;
    sums[columns] = b;
    if (!first) return;
    first[i] = (float)a;
    second[i] = (float)b;
}

// mean and rstd of each group from its sums of x and x². Running statistics, if given, move by momentum, with the unbiased variance.
extern "C" __global__ void __launch_bounds__(THREADS) column_statistics(
    const double* __restrict__ sums, int columns, int groups, float eps, float* mean, float* rstd, float* runningMean, float* runningVariance, float momentum)
{
    i64 i = globalThread();
    if (i >= (i64)groups * columns) return;
    double rows = sums[(i64)groups * 2 * columns];
    sums += i / columns * 2 * columns + i % columns;
    double average = sums[0] / rows, variance = sums[columns] / rows - average * average;
    if (variance < 0) variance = 0;
    if (mean) mean[i] = (float)average;
    rstd[i] = (float)(1 / sqrt(variance + eps));
    if (!runningMean) return;
    runningMean[i] = (float)((1.0 - momentum) * runningMean[i] + momentum * average);
    runningVariance[i] = (float)((1.0 - momentum) * runningVariance[i] + momentum * variance * (rows / (rows - 1)));
}

// mean and rstd from running statistics.
extern "C" __global__ void __launch_bounds__(THREADS) column_statistics_running(const float* runningMean, const float* runningVariance, int columns, float eps, float* mean, float* rstd)
{
    int i = (int)globalThread();
    if (i >= columns) return;
    mean[i] = runningMean[i];
    rstd[i] = (float)(1 / sqrt((double)runningVariance[i] + eps));
}

// y = gamma n + beta with n = (x - mean) rstd, cut off below 0 with relu; gamma and beta may be null. All of the groups' mean.
extern "C" __global__ void __launch_bounds__(THREADS) column_normalise(
    const float* x, const float* __restrict__ mean, const float* __restrict__ rstd, const float* __restrict__ gamma, const float* __restrict__ beta, float* y, i64 rows, int columns, int rowsPerChunk, int relu)
{
    Place place = myPlace(rows, columns, rowsPerChunk);
    if (!place.isInside) return;
    i64 first = place.group * rows * columns + place.column, statistic = place.group * columns + place.column;
    float average = mean[statistic], gain = gamma ? gamma[place.column] * rstd[statistic] : rstd[statistic], offset = beta ? beta[place.column] : 0.f;
    for (i64 row = place.first + place.warp; row < place.last; row += WARPS)
    {
        float value = fmaf(x[first + row * columns] - average, gain, offset);
        y[first + row * columns] = relu ? fmaxf(value, 0.f) : value;
    }
}

// Sums of g and g n over each chunk; they may cancel nearly all of what is added. Without mean, x is normalised already. Behind a
// ReLU (beta is given) g counts only where gamma n + beta is positive.
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
        float average = mean ? mean[statistic] : 0.f, scale = mean ? rstd[statistic] : 1.f, gain = beta ? gamma[place.column] * scale : 0.f, offset = beta ? beta[place.column] : 1.f;
        for (i64 row = place.first + place.warp; row < place.last; row += WARPS)
        {
            float distance = x[first + row * columns] - average, n = distance * scale, g = fmaf(distance, gain, offset) > 0.f ? dy[first + row * columns] : 0.f;
            sum += g;
            product += (double)g * n;
        }
    }
    sum = sumOverWarps(sum, sums);
    product = sumOverWarps(product, sums);
    writePartials(place, columns, sum, product, partials);
}

// dx = gamma rstd (g - (Σ g + n Σ g n) / rows), or gamma rstd g without sums, where the statistics are constants. dx may be dy.
extern "C" __global__ void __launch_bounds__(THREADS) column_norm_gradient(
    const float* __restrict__ x, const float* __restrict__ mean, const float* __restrict__ rstd, const float* __restrict__ gamma, const float* __restrict__ beta, const float* dy,
    const double* __restrict__ sums, float* dx, i64 rows, int columns, int rowsPerChunk)
{
    Place place = myPlace(rows, columns, rowsPerChunk);
    if (!place.isInside) return;
    i64 first = place.group * rows * columns + place.column, statistic = place.group * columns + place.column;
    float average = mean ? mean[statistic] : 0.f, scale = mean ? rstd[statistic] : 1.f, factor = gamma ? gamma[place.column] * rstd[statistic] : rstd[statistic];
    float gain = beta ? factor : 0.f, offset = beta ? beta[place.column] : 1.f, constant = 0.f, slope = 0.f;
    if (sums)
    {
        double allRows = sums[(i64)gridDim.z * 2 * columns];
        sums += place.group * 2 * columns + place.column;
        constant = (float)(sums[0] / allRows);
        slope = (float)(sums[columns] / allRows);
    }
    for (i64 row = place.first + place.warp; row < place.last; row += WARPS)
    {
        float distance = x[first + row * columns] - average, n = distance * scale, g = fmaf(distance, gain, offset) > 0.f ? dy[first + row * columns] : 0.f;
        dx[first + row * columns] = factor * (g - constant - n * slope);
    }
}
