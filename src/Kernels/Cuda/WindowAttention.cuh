// Attention within shifted windows of a map: which tokens make up a window, and the sums over their rows. A thread has one token
// of a window and a head of it, HEAD_DIM channels; rows of the other tokens pass by in shared memory, ROWS at a time.
#pragma once
#include "Common.cuh"
#include "HalfType.cuh"

// The launcher says how many channels a head has, rounded up to a multiple of 4.
#ifndef HEAD_DIM
#define HEAD_DIM 32
#endif

// And if queries, keys, values and the result are stored in the type that they are rounded to.
#ifndef STORED
#define STORED float
#endif

#define ROWS 64
#define AT_ONCE 4                // rows that a thread works on together, for independent sums
#define STRIDE (HEAD_DIM + 4)    // keeps rows aligned, and threads that read their own rows in different banks
#define PADDING -1               // a token that only fills up a window
#define NOTHING -2               // behind the last token of a window

struct Volume
{
    int frames, height, width;
};

struct Geometry
{
    Volume map, window, shift, across, table;   // across: windows along each axis; table: the window that the bias table is for
    int heads, headDim, tokens, size, tableRows;
    float scale;
};

struct Token
{
    int place;      // in the map, or PADDING or NOTHING
    int region;     // tokens of different regions have been brought together by the shift
    int position;   // rows of the table between this token and the first one of the window
};

struct Along
{
    int source, region;
};

// The place in the map that padding and shift have brought to a position along one axis.
DEVICE Along alongAxis(int position, int extent, int window, int across, int shift)
{
    int padded = across * window, source = position + shift;
    if (source >= padded) source -= padded;
    return Along{source < extent ? source : PADDING, shift == 0 || position < padded - window ? 0 : position < padded - shift ? 1 : 2};
}

DEVICE Token tokenAt(const Geometry& g, int window, int i)
{
    if (i >= g.size) return Token{NOTHING, 0, 0};
    int x = i % g.window.width, y = i / g.window.width % g.window.height, t = i / (g.window.width * g.window.height);
    Along column = alongAxis(window % g.across.width * g.window.width + x, g.map.width, g.window.width, g.across.width, g.shift.width);
    Along row = alongAxis(window / g.across.width % g.across.height * g.window.height + y, g.map.height, g.window.height, g.across.height, g.shift.height);
    Along frame = alongAxis(window / (g.across.width * g.across.height) * g.window.frames + t, g.map.frames, g.window.frames, g.across.frames, g.shift.frames);
    bool isPadding = column.source < 0 || row.source < 0 || frame.source < 0;
    // The table counts tokens in rows of its own window.
    int tableRow = i / (g.table.width * g.table.height) * (2 * g.table.height - 1) + i / g.table.width % g.table.height;
    return Token{
        isPadding ? PADDING : (frame.source * g.map.height + row.source) * g.map.width + column.source,
        (3 * frame.region + row.region) * 3 + column.region,
        tableRow * (2 * g.table.width - 1) + i % g.table.width};
}

// The row of the table for a query and a key is query.position - key.position + this.
DEVICE int tableCentre(const Geometry& g)
{
    return ((g.table.frames - 1) * (2 * g.table.height - 1) + g.table.height - 1) * (2 * g.table.width - 1) + g.table.width - 1;
}

// A head's column of the bias table, in dynamic shared memory.
DEVICE void loadTable(const Geometry& g, const float* __restrict__ biasTable, float* table)
{
    for (int i = threadIdx.x; i < g.tableRows; i += blockDim.x) table[i] = biasTable[(i64)i * g.heads + blockIdx.y];
}

// Rows of one head: those of a sample's tokens, and the one that padding has (null: zeros).
struct Source
{
    const STORED* rows;
    i64 stride;
    const float* padding;
};

// Queries (0), keys (1) or values (2) of a sample.
DEVICE Source sourceOf(const Geometry& g, const STORED* qkv, const float* qkvBias, i64 sample, int part)
{
    int channels = g.heads * g.headDim, first = part * channels + blockIdx.y * g.headDim;
    return Source{qkv + sample * g.tokens * 3 * channels + first, 3 * channels, qkvBias + first};
}

// y or its gradient, of which padding has none.
DEVICE Source resultOf(const Geometry& g, const STORED* y, i64 sample)
{
    int channels = g.heads * g.headDim;
    return Source{y + sample * g.tokens * channels + blockIdx.y * g.headDim, channels, nullptr};
}

// Puts the rows of the first places into shared memory; neighbouring threads read neighbouring channels.
template <class T, int WIDTH> DEVICE void gather(const Geometry& g, const Source& source, const int* places, int count, float factor, T (*rows)[WIDTH])
{
    for (int e = threadIdx.x; e < count * HEAD_DIM; e += blockDim.x)
    {
        int row = e / HEAD_DIM, d = e % HEAD_DIM, place = places[row];
        float x = 0.f;
        if (d < g.headDim)
        {
            if (place >= 0) x = toFloat(source.rows[place * source.stride + d]);
            else if (place == PADDING && source.padding) x = source.padding[d];
        }
        store(rows[row][d], factor * x);
    }
}

// The row of each thread's own token, by way of shared memory. All threads of the block come here.
DEVICE void gatherOwn(const Geometry& g, const Source& source, int place, float factor, int* places, float (*rows)[STRIDE], float (&own)[HEAD_DIM])
{
    for (int first = 0; first < (int)blockDim.x; first += ROWS)
    {
        int row = (int)threadIdx.x - first;
        bool isMine = row >= 0 && row < ROWS;
        if (isMine) places[row] = place;
        // The last part may have fewer rows.
        for (int i = (int)(blockDim.x - first) + threadIdx.x; i < ROWS; i += blockDim.x) places[i] = NOTHING;
        __syncthreads();
        gather(g, source, places, ROWS, factor, rows);
        __syncthreads();
        if (isMine)
            #pragma unroll
            for (int d = 0; d < HEAD_DIM; d++) own[d] = rows[row][d];
        __syncthreads();
    }
}

// Writes each thread's row to its token's place, by way of shared memory; what padding gets is added to paddingSum, of which
// thread d has channel d.
DEVICE void scatterOwn(const Geometry& g, float* target, i64 stride, int place, float factor, int* places, float (*rows)[STRIDE], const float (&own)[HEAD_DIM], float& paddingSum)
{
    for (int first = 0; first < (int)blockDim.x; first += ROWS)
    {
        int row = (int)threadIdx.x - first, count = min(ROWS, (int)blockDim.x - first);
        if (row >= 0 && row < ROWS)
        {
            places[row] = place;
            #pragma unroll
            for (int d = 0; d < HEAD_DIM; d++) rows[row][d] = factor * own[d];
        }
        __syncthreads();
        for (int e = threadIdx.x; e < count * HEAD_DIM; e += blockDim.x)
        {
            int d = e % HEAD_DIM, to = places[e / HEAD_DIM];
            if (to >= 0 && d < g.headDim) target[to * stride + d] = rows[e / HEAD_DIM][d];
        }
        if ((int)threadIdx.x < g.headDim)
            for (int i = 0; i < count; i++)
                if (places[i] == PADDING) paddingSum += rows[i][threadIdx.x];
        __syncthreads();
    }
}

// products[i] = own rows[i].
DEVICE void multiplyRows(const float (&own)[HEAD_DIM], const float (*rows)[STRIDE], float (&products)[AT_ONCE])
{
    #pragma unroll
    for (int i = 0; i < AT_ONCE; i++) products[i] = 0.f;
    #pragma unroll
    for (int d = 0; d < HEAD_DIM; d += 4)
        #pragma unroll
        for (int i = 0; i < AT_ONCE; i++)
        {
            float4 row = *(const float4*)&rows[i][d];
            products[i] = fmaf(own[d], row.x, products[i]);
            products[i] = fmaf(own[d + 1], row.y, products[i]);
            products[i] = fmaf(own[d + 2], row.z, products[i]);
            products[i] = fmaf(own[d + 3], row.w, products[i]);
        }
}

// sums += the rows, each times its weight.
DEVICE void addRows(float (&sums)[HEAD_DIM], const float (&weights)[AT_ONCE], const float (*rows)[STRIDE])
{
    #pragma unroll
    for (int d = 0; d < HEAD_DIM; d += 4)
        #pragma unroll
        for (int i = 0; i < AT_ONCE; i++)
        {
            float4 row = *(const float4*)&rows[i][d];
            sums[d] = fmaf(weights[i], row.x, sums[d]);
            sums[d + 1] = fmaf(weights[i], row.y, sums[d + 1]);
            sums[d + 2] = fmaf(weights[i], row.z, sums[d + 2]);
            sums[d + 3] = fmaf(weights[i], row.w, sums[d + 3]);
        }
}

// Other tokens of the window, in shared memory.
struct Others
{
    int places[ROWS], regions[ROWS], positions[ROWS];
};

DEVICE void findOthers(const Geometry& g, int window, int first, Others& others)
{
    for (int i = threadIdx.x; i < ROWS; i += blockDim.x)
    {
        Token token = tokenAt(g, window, first + i);
        others.places[i] = token.place;
        others.regions[i] = token.region;
        others.positions[i] = token.position;
    }
}

// The ROWS other tokens from first on, with their rows of two sources. All threads of the block come here.
template <class T, int WIDTH> DEVICE void gatherOthers(
    const Geometry& g, int window, int first, Others& others, const Source& left, float leftFactor, T (*leftRows)[WIDTH], const Source& right, T (*rightRows)[WIDTH])
{
    findOthers(g, window, first, others);
    __syncthreads();
    gather(g, left, others.places, ROWS, leftFactor, leftRows);
    gather(g, right, others.places, ROWS, 1.f, rightRows);
    __syncthreads();
}

// What tokens of different regions lose before the softmax, as published.
#define OTHER_REGION -100.f

// Softmax of the scores of one query as they come, with the sum of values that it weighs (Milakov and Gimelshein, 2018).
struct Softmax
{
    float largest, total, sums[HEAD_DIM];
};

// One pass of the query's scores over all keys and values of the window. All threads of the block come here.
DEVICE void attend(const Geometry& g, int window, const Source& keys, const Source& values, const float (&query)[HEAD_DIM], const Token& mine,
    const float* table, Others& others, float (*rows)[ROWS][STRIDE], Softmax& softmax)
{
    const float infinity = __int_as_float(0x7F800000);
    int centre = tableCentre(g);
    softmax.largest = -infinity;
    softmax.total = 0.f;
    #pragma unroll
    for (int d = 0; d < HEAD_DIM; d++) softmax.sums[d] = 0.f;
    for (int first = 0; first < g.size; first += ROWS)
    {
        gatherOthers(g, window, first, others, keys, 1.f, rows[0], values, rows[1]);
        int count = min(ROWS, g.size - first);
        for (int j = 0; j < count; j += AT_ONCE)
        {
            float scores[AT_ONCE], largest = softmax.largest;
            multiplyRows(query, &rows[0][j], scores);
            #pragma unroll
            for (int i = 0; i < AT_ONCE; i++)
            {
                scores[i] = j + i < count ? scores[i] + table[mine.position - others.positions[j + i] + centre] + (others.regions[j + i] != mine.region ? OTHER_REGION : 0.f) : -infinity;
                largest = fmaxf(largest, scores[i]);
            }
            float shrink = expf(softmax.largest - largest);
            softmax.largest = largest;
            softmax.total *= shrink;
            #pragma unroll
            for (int d = 0; d < HEAD_DIM; d++) softmax.sums[d] *= shrink;
            #pragma unroll
            for (int i = 0; i < AT_ONCE; i++) softmax.total += scores[i] = expf(scores[i] - largest);
            addRows(softmax.sums, scores, &rows[1][j]);
        }
        __syncthreads();
    }
}
