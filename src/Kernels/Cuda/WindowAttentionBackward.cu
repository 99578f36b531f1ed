// The gradients of attention within shifted windows; probabilities are computed again.
#include "WindowAttention.cuh"

// dq, the logarithms of the sums of the softmax and y dy of each query (statistics [2][sample windows + window][head][token]),
// and the gradient of the bias table for a chunk of windows, tablePartials [chunk][table row][head]. blockIdx = (chunk, head).
// Dynamic shared memory: the table, and its gradient for each warp. For one key, all queries of a warp change different rows of
// that, so that nothing is added at random.
extern "C" __global__ void __launch_bounds__(256) window_attention_backward_queries(
    const float* __restrict__ qkv, const float* __restrict__ qkvBias, const float* __restrict__ biasTable, const float* __restrict__ dy,
    float* dQkv, float* statistics, float* tablePartials, i64 allWindows, int windowsPerChunk, Geometry g)
{
    extern __shared__ float table[];
    __shared__ __align__(16) float rows[2][ROWS][STRIDE];
    __shared__ Others others;
    int windows = g.across.frames * g.across.height * g.across.width, channels = g.heads * g.headDim, warps = blockDim.x / 32, centre = tableCentre(g);
    float *dTables = table + g.tableRows, *dTable = dTables + (threadIdx.x >> 5) * g.tableRows;
    loadTable(g, biasTable, table);
    for (int i = threadIdx.x; i < warps * g.tableRows; i += blockDim.x) dTables[i] = 0.f;
    __syncthreads();
    i64 firstWindow = (i64)blockIdx.x * windowsPerChunk, lastWindow = min(allWindows, firstWindow + windowsPerChunk);
    for (i64 number = firstWindow; number < lastWindow; number++)
    {
        int window = (int)(number % windows);
        i64 sample = number / windows;
        Source keys = sourceOf(g, qkv, qkvBias, sample, 1), values = sourceOf(g, qkv, qkvBias, sample, 2);
        for (int firstQuery = 0; firstQuery < g.size; firstQuery += blockDim.x)
        {
            int i = firstQuery + threadIdx.x;
            Token mine = tokenAt(g, window, i);
            float query[HEAD_DIM], slope[HEAD_DIM], dQuery[HEAD_DIM] = {}, unused = 0.f, mean = 0.f;
            gatherOwn(g, sourceOf(g, qkv, qkvBias, sample, 0), mine.place, g.scale, others.places, rows[0], query);
            gatherOwn(g, resultOf(g, dy, sample), mine.place, 1.f, others.places, rows[0], slope);
            Softmax softmax;
            attend(g, window, keys, values, query, mine, table, others, rows, softmax);
            #pragma unroll
            for (int d = 0; d < HEAD_DIM; d++) mean = fmaf(softmax.sums[d], slope[d], mean);
            mean /= softmax.total;
            float logTotal = softmax.largest + logf(softmax.total);
            for (int first = 0; first < g.size; first += ROWS)
            {
                gatherOthers(g, window, first, others, keys, 1.f, rows[0], values, rows[1]);
                int count = min(ROWS, g.size - first);
                for (int j = 0; j < count; j += AT_ONCE)
                {
                    float scores[AT_ONCE], slopes[AT_ONCE];
                    multiplyRows(query, &rows[0][j], scores);
                    multiplyRows(slope, &rows[1][j], slopes);
                    #pragma unroll
                    for (int k = 0; k < AT_ONCE; k++)
                    {
                        bool isInside = j + k < count;
                        int entry = isInside ? mine.position - others.positions[j + k] + centre : 0;
                        float score = scores[k] + table[entry] + (others.regions[j + k] != mine.region ? OTHER_REGION : 0.f);
                        slopes[k] = isInside ? expf(score - logTotal) * (slopes[k] - mean) : 0.f;
                        if (isInside && mine.place >= 0) dTable[entry] += slopes[k];
                        __syncwarp();
                    }
                    addRows(dQuery, slopes, &rows[0][j]);
                }
                __syncthreads();
            }
            scatterOwn(g, dQkv + sample * g.tokens * 3 * channels + blockIdx.y * g.headDim, 3 * channels, mine.place, g.scale, others.places, rows[0], dQuery, unused);
            if (i >= g.size) continue;
            i64 statistic = (number * g.heads + blockIdx.y) * g.size + i;
            statistics[statistic] = logTotal;
            statistics[allWindows * g.heads * g.size + statistic] = mean;
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < g.tableRows; i += blockDim.x)
    {
        float sum = 0.f;
        for (int warp = 0; warp < warps; warp++) sum += dTables[warp * g.tableRows + i];
        tablePartials[((i64)blockIdx.x * g.tableRows + i) * g.heads + blockIdx.y] = sum;
    }
}

// dk and dv; what padding gets of them is summed for each block, paddingPartials [block][2][channels].
// blockIdx = (sample windows + window, head, part of the keys). Dynamic shared memory: the table.
extern "C" __global__ void __launch_bounds__(256) window_attention_backward_keys(
    const float* __restrict__ qkv, const float* __restrict__ qkvBias, const float* __restrict__ biasTable, const float* __restrict__ dy,
    const float* __restrict__ statistics, float* dQkv, float* paddingPartials, i64 allWindows, Geometry g)
{
    extern __shared__ float table[];
    __shared__ __align__(16) float rows[2][ROWS][STRIDE];
    __shared__ float logTotals[ROWS], means[ROWS];
    __shared__ Others others;
    int windows = g.across.frames * g.across.height * g.across.width, window = blockIdx.x % windows, channels = g.heads * g.headDim, centre = tableCentre(g);
    i64 sample = blockIdx.x / windows, statistic = ((i64)blockIdx.x * g.heads + blockIdx.y) * g.size;
    loadTable(g, biasTable, table);
    Token mine = tokenAt(g, window, blockIdx.z * blockDim.x + threadIdx.x);
    float key[HEAD_DIM], value[HEAD_DIM], dKey[HEAD_DIM] = {}, dValue[HEAD_DIM] = {};
    gatherOwn(g, sourceOf(g, qkv, qkvBias, sample, 1), mine.place, 1.f, others.places, rows[0], key);
    gatherOwn(g, sourceOf(g, qkv, qkvBias, sample, 2), mine.place, 1.f, others.places, rows[0], value);
    for (int first = 0; first < g.size; first += ROWS)
    {
        int count = min(ROWS, g.size - first);
        for (int i = threadIdx.x; i < count; i += blockDim.x)
        {
            logTotals[i] = statistics[statistic + first + i];
            means[i] = statistics[allWindows * g.heads * g.size + statistic + first + i];
        }
        gatherOthers(g, window, first, others, sourceOf(g, qkv, qkvBias, sample, 0), g.scale, rows[0], resultOf(g, dy, sample), rows[1]);
        for (int j = 0; j < count; j += AT_ONCE)
        {
            float scores[AT_ONCE], slopes[AT_ONCE];
            multiplyRows(key, &rows[0][j], scores);
            multiplyRows(value, &rows[1][j], slopes);
            #pragma unroll
            for (int k = 0; k < AT_ONCE; k++)
            {
                bool isInside = j + k < count && mine.place != NOTHING;
                float score = isInside ? scores[k] + table[others.positions[j + k] - mine.position + centre] + (others.regions[j + k] != mine.region ? OTHER_REGION : 0.f) : 0.f;
                scores[k] = isInside ? expf(score - logTotals[j + k]) : 0.f;
                slopes[k] = isInside ? scores[k] * (slopes[k] - means[j + k]) : 0.f;
            }
            addRows(dValue, scores, &rows[1][j]);
            addRows(dKey, slopes, &rows[0][j]);
        }
        __syncthreads();
    }
    float keyPadding = 0.f, valuePadding = 0.f, *target = dQkv + sample * g.tokens * 3 * channels + blockIdx.y * g.headDim;
    scatterOwn(g, target + channels, 3 * channels, mine.place, 1.f, others.places, rows[0], dKey, keyPadding);
    scatterOwn(g, target + 2 * channels, 3 * channels, mine.place, 1.f, others.places, rows[0], dValue, valuePadding);
    if ((int)threadIdx.x >= g.headDim) return;
    paddingPartials += ((i64)blockIdx.x * gridDim.z + blockIdx.z) * 2 * channels + blockIdx.y * g.headDim + threadIdx.x;
    paddingPartials[0] = keyPadding;
    paddingPartials[channels] = valuePadding;
}
