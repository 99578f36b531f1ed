namespace Lavt.Tests.Cuda;

/// <summary>Faults of the kernels of single layers, of losses and of the optimizer; part of <see cref="PlantedFaults"/>.</summary>
public static class PlantedLayerFaults
{
    /// <summary>All of them; those of a kernel together.</summary>
    public static IEnumerable<Fault> All => [.. Random(), .. ColumnNorms(), .. Maps(), .. WordAttention(), .. Losses(), .. Optimizer(), .. Windows(), .. Convolutions(), .. Peers()];

    private static IEnumerable<Fault> Random() =>
    [
        new("Philox.cuh", "nine rounds", "round < 10", "round < 9", Cases: "Dropout"),
        new("Dropout.cu", "kept where it should be dropped", "numbers.x < probability", "numbers.x >= probability", Cases: "Dropout"),
        new("Dropout.cu", "elements behind the last", "i + k >= 0 && i + k < n", "i + k >= 0", Cases: "Dropout"),
        new("Dropout.cu", "one number for all samples", "(u64)(first + blockIdx.y)", "(u64)first", Cases: "DropPath"),
        new("Embedding.cu", "a repeated id adds to itself", "isRepeated |= ids[i] == id;", "", Cases: "Embedding"),
        new("Embedding.cu", "only the first place of an id counts", "if (ids[i] == id) sum +=", "if (i == place) sum +=", Cases: "Embedding"),
    ];

    private static IEnumerable<Fault> Peers() =>
    [
        new("PeerSum.cu", "numbers beyond the last", "i < n;", "i < n + 1;", nameof(PeerRingTests)),
        new("PeerSum.cu", "the last number is left out", "i < n;", "i < n - 1;", nameof(PeerRingTests)),
        new("PeerSum.cu", "replaced instead of added", "own[i] += theirs[i]", "own[i] = theirs[i]", nameof(PeerRingTests)),
        new("PeerSum.cu", "one block's share alone", "i += globalThreads()", "i += n", nameof(PeerRingTests)),
    ];

    private static IEnumerable<Fault> ColumnNorms() =>
    [
        new("ColumnNorm.cu", "no barrier before the warps' sums are added", "[lane] = x;\n    __syncthreads();", "[lane] = x;", Cases: "InstanceNorm"),
        new("ColumnNorm.cu", "columns beyond the last", "if (!place.isInside) return;", "", Cases: "InstanceNorm"),
        new("ColumnNorm.cu", "statistics of the first group for all", "statistic = place.group * columns + place.column", "statistic = place.column", Cases: "InstanceNorm"),
        new("ColumnNorm.cu", "the gradient behind a ReLU everywhere", "fmaf(distance, gain, offset) > 0.f ?", "true ?", Cases: "BatchNorm training True ReLU True"),
        new("ColumnNorm.cu", "gradient sums of the first group for all", "sums += place.group * 2 * columns + place.column", "sums += place.column", Cases: "InstanceNorm"),
        new("ColumnNorm.cu", "the number of rows is left out", "if (i == 0) sums[", "if (i < 0) sums[", Cases: "InstanceNorm"),
        new("ColumnNorm.cu", "sums in place of sums of squares", "squares += value * value", "squares += value", Cases: "BatchNorm training True"),
        new("ColumnNorm.cu", "the sum of products is left out", " - n * slope", "", Cases: "BatchNorm training True"),
    ];

    private static IEnumerable<Fault> Maps() =>
    [
        new("Layout.cuh", "the outermost axis is not walked", "axis >= 0; axis--", "axis > 0; axis--", Cases: "Add broadcast,Permute"),
        new("Layout.cuh", "axes in the wrong order", "int axis = layout.rank - 1; axis >= 0; axis--", "int axis = 0; axis < layout.rank; axis++", Cases: "Multiply broadcast"),
        new("MatMul.cu", "no barrier before a tile is read", "        }\n        __syncthreads();\n        #pragma unroll 8", "        }\n        #pragma unroll 8", Cases: "MatMul"),
        new("MatMul.cu", "every product is the first one", "b += offsetOf(bAt, blockIdx.x);", "", Cases: "MatMul"),
        new("Pixels.cuh", "threads share a channel", "threadIdx.x & (lanes - 1)", "threadIdx.x & (lanes - 2)", Cases: "Bilinear"),
        new("Bilinear.cu", "corners that do not meet", "i64 numerator = (i64)i * (inputs - 1);", "i64 numerator = (i64)i * inputs;", Cases: "Bilinear"),
        new("Bilinear.cu", "the last reader of a pixel is left out", "column < end; column++", "column < end - 1; column++", Cases: "Bilinear"),
        new("Bilinear.cu", "pixels beyond the last", "if (pixel >= pixels) return;", "", Cases: "BilinearConcat"),
        new("PatchGather.cu", "rows and columns of a patch exchanged", "place / columns * patch + within / patch % patch", "place / columns * patch + within % patch", Cases: "Patches"),
        new("PatchGather.cu", "neighbours in the order of rows", "row = place / columns * 2 + (part & 1), column = place % columns * 2 + (part >> 1)", "row = place / columns * 2 + (part >> 1), column = place % columns * 2 + (part & 1)", Cases: "MergeNeighbours"),
        new("PatchGather.cu", "what lies outside is read", "from.isInside ?", "true ?", Cases: "MergeNeighbours"),
        new("MaxPool.cu", "the last of equal values wins", "x[at] > largest", "x[at] >= largest", nameof(LayersOnGpuTests), "MaxPool"),
        new("MaxPool.cu", "rows beyond the last", "down <= min(reach, height - 1 - row)", "down <= reach", Cases: "MaxPool"),
    ];

    private static IEnumerable<Fault> WordAttention() =>
    [
        new("WordAttention.cu", "no barrier before a tile is read", "            }\n            __syncthreads();\n            #pragma unroll 8", "            }\n            #pragma unroll 8", Cases: "WordAttention"),
        new("WordAttention.cu", "no barrier behind the reading of a tile", "words[tile.lane][d], sums[i]);\n            __syncthreads();", "words[tile.lane][d], sums[i]);", Cases: "WordAttention"),
        new("WordAttention.cu", "padding is not masked", "sizes.penalty * (mask[word] - 1.f)", "0.f", Cases: "WordAttention"),
        new("WordAttention.cu", "queries beyond the last", "if (tile.warp * MINE + i < tile.count) y", "y", Cases: "WordAttention"),
        new("WordAttention.cu", "softmax backwards without its mean", "p[word] * (s[word] - mean)", "p[word] * s[word]", Cases: "WordAttention"),
        new("WordAttention.cu", "the last token of a chunk is left out", "token < last; token++", "token < last - 1; token++", Cases: "WordAttention"),
    ];

    private static IEnumerable<Fault> Losses() =>
    [
        new("Doubles.cuh", "a sum over half a warp", "step = 16;", "step = 8;", nameof(LayersOnGpuTests), "CrossEntropyLoss"),
        new("Doubles.cuh", "no barrier before partial sums are read", "partials[warp][i] = values[i];\n    }\n    __syncthreads();", "partials[warp][i] = values[i];\n    }", Cases: "DiceFocalLoss"),
        new("LossPixel.cuh", "the gradients of the logits exchanged", "make_float2(-(float)derivative, (float)derivative)", "make_float2((float)derivative, -(float)derivative)", Cases: "CrossEntropyLoss"),
        new("LossPixel.cuh", "classes exchanged", "difference < 0 ? Probabilities{larger, smaller}", "difference > 0 ? Probabilities{larger, smaller}", Cases: "MultiClassDiceLoss"),
        new("Losses.cu", "weights of the classes exchanged", "(double)1.1f : (double)0.9f", "(double)0.9f : (double)1.1f", Cases: "CrossEntropyLoss"),
        new("Losses.cu", "pixels beyond the last", "if (pixel >= pixels) return;", "", Cases: "DiceFocalLoss"),
        new("BoundaryLoss.cu", "the gradient of the edges themselves is left out", "(pooled[i].x - dEdge[i].x) - (pooled[i].y - dEdge[i].y)", "pooled[i].x - pooled[i].y", Cases: "DiceBoundaryLoss"),
    ];

    private static IEnumerable<Fault> Optimizer()
    {
        const string Tests = nameof(OptimizerOnGpuTests);
        return
        [
            new("AdamW.cu", "no weight decay", "__fmul_rn(part.parameter[i], f.decay)", "part.parameter[i]", Tests),
            new("AdamW.cu", "only the first parameter", "parts.parts[blockIdx.y]", "parts.parts[0]", Tests),
            new("AdamW.cu", "a skipped step counts", "if (!isSkipped) *part.steps", "*part.steps", Tests),
            new("AdamW.cu", "the scale stays in the gradients", "lossScale ? lossScale->scale : 1", "1", Tests),
            new("LossScale.cuh", "no overflow is seen", "!(state.squares <= LARGEST_DOUBLE)", "false", Tests),
            new("LossScaler.cu", "the scale grows a step late", "++state->goodSteps == GROWTH_INTERVAL", "state->goodSteps++ == GROWTH_INTERVAL", Tests),
            new("LossScaler.cu", "the gradient of the loss is not scaled", "share * (float)state->scale", "share", Tests),
            new("AdamW.cu", "AMSGrad forgets the largest moment", "fmaxf(part.largestSecond[i], v)", "v", Tests),
        ];
    }

    private static IEnumerable<Fault> Windows() =>
    [
        new("WindowAttention.cuh", "no roll around the end", "if (source >= padded) source -= padded;", "", Cases: "WindowAttention"),
        new("WindowAttention.cuh", "the shift's regions are not told apart", "position < padded - shift ? 1 : 2", "1", Cases: "WindowAttention"),
        new("WindowAttention.cuh", "padding is zero", "place == PADDING && source.padding", "false", Cases: "WindowAttention"),
        new("WindowAttention.cuh", "sums are not scaled when a larger score comes", "softmax.sums[d] *= shrink;", "", Cases: "WindowAttention"),
        new("WindowAttention.cuh", "no barrier before rows are read", "1.f, rightRows);\n    __syncthreads();", "1.f, rightRows);", Cases: "WindowAttention"),
        new("WindowAttention.cu", "queries are not scaled", "mine.place, g.scale, others.places", "mine.place, 1.f, others.places", Cases: "WindowAttention"),
        new("WindowAttentionTensor.cu", "no barrier behind the reading of rows", "            }\n        }\n        __syncthreads();\n    }\n    y +=", "            }\n        }\n    }\n    y +=", nameof(LayersOnGpuTests), "WindowAttention BFloat16"),
        new("WindowAttentionTensor.cu", "values are not transposed", "loadMatricesTransposed(value", "loadMatrices(value", nameof(LayersOnGpuTests), "WindowAttention BFloat16"),
        new("WindowAttentionTensor.cu", "the sum of a row over one lane only", "1.f / rowSum(total[row])", "1.f / total[row]", nameof(LayersOnGpuTests), "WindowAttention BFloat16"),
        new("WindowAttentionBackward.cu", "softmax backwards without its mean", "(slopes[k] - mean) : 0.f", "slopes[k] : 0.f", Cases: "WindowAttention"),
        new("WindowAttentionBackward.cu", "the table's gradient of one warp only", "warp < warps; warp++", "warp < 1; warp++", Cases: "WindowAttention 1x7x8"),
        new("WindowAttentionBackward.cu", "what padding gets is lost", "paddingPartials[0] = keyPadding;", "paddingPartials[0] = 0.f;", Cases: "WindowAttention"),
    ];

    private static IEnumerable<Fault> Convolutions() =>
    [
        new("Convolution.cuh", "the map has no border on the left", "x + offset.width >= 0 && ", "", Cases: "Conv"),
        new("Convolution.cu", "a pixel beyond the last", "if (pixel >= shape.pixels || column >= shape.output) return;", "if (pixel > shape.pixels || column >= shape.output) return;", Cases: "Conv"),
        new("Convolution.cu", "taps are not turned round for the gradient", "tap = taps - 1 - (int)(i / input / output)", "tap = (int)(i / input / output)", Cases: "Conv"),
        new("ConvolutionWeights.cu", "every tap reads the same pixel", "x[(pixel + shift) *", "x[pixel *", Cases: "Conv"),
        new("ConvolutionWeights.cu", "input and output channels exchanged", "dWeight[((i64)o * input + c) * taps + tap] = sum;", "dWeight[i] = sum;", Cases: "Conv"),
    ];
}
