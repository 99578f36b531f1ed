namespace Lavt.Tests.Cuda;

/// <summary>A change that makes a kernel wrong, and the tests that must report it.</summary>
/// <param name="File">The source file.</param>
/// <param name="What">What is wrong then.</param>
/// <param name="From">A piece of the source that occurs in it.</param>
/// <param name="To">What stands in its place.</param>
/// <param name="Tests">The test class.</param>
/// <param name="Cases">The cases of <see cref="OpsOnGpuTests"/> that use the kernel, by the beginnings of their names.</param>
public sealed record Fault(string File, string What, string From, string To, string Tests = nameof(OpsOnGpuTests), string Cases = "");

/// <summary>Faults of every kernel. A suite that passes with one of them would pass with such an error of our own.</summary>
public static class PlantedFaults
{
    /// <summary>All of them; those of a kernel together.</summary>
    public static IReadOnlyList<Fault> All { get; } = [.. Common(), .. Simple(), .. Norms(), .. Sums(), .. Products(), .. PlantedHopperFaults.All, .. PlantedLayerFaults.All];

    private static IEnumerable<Fault> Common() =>
    [
        new("Common.cuh", "no barrier before partial sums are read", "partials[warp] = x;\n    __syncthreads();", "partials[warp] = x;", Cases: "Sum of many"),
        new("Common.cuh", "a sum over half a warp", "step = 16; step > 0; step >>= 1) x += ", "step = 8; step > 0; step >>= 1) x += ", Cases: "LayerNorm"),
        new("Common.cuh", "a maximum over half a warp", "step = 16; step > 0; step >>= 1) x = fmaxf", "step = 8; step > 0; step >>= 1) x = fmaxf", nameof(PrimitivesOnGpuTests)),
        new("Common.cuh", "threads of other blocks work on the same elements", "(i64)blockIdx.x * blockDim.x + threadIdx.x", "(i64)threadIdx.x", Cases: "Sum,Log"),
        new("Common.cuh", "a barrier in one half of the block", "partials[lane] : 0.f);\n    __syncthreads();", "partials[lane] : 0.f);\n    if (warp < WARPS / 2) __syncthreads();", Cases: "Sum of many"),
    ];

    private static IEnumerable<Fault> Simple() =>
    [
        new("Elementwise.cu", "no bound", "i < (n);", "i < (n) + 1;", Cases: "Add,Multiply"),
        new("Elementwise.cu", "the last element is left out", "i < (n);", "i < (n) - 1;", Cases: "Gate"),
        new("Elementwise.cu", "the first element is left out", "i64 i = globalThread();", "i64 i = globalThread() + 1;", Cases: "Add"),
        new("Elementwise.cu", "gradients exchanged", "da[i] = d * right", "da[i] = d * left", Cases: "Gate"),
        new("Activation.cuh", "GELU without its factor", "0.5f * x * (1.f + erff", "x * (1.f + erff", Cases: "Gelu"),
        new("Activation.cuh", "GELU's derivative without its second part", " + x * 0.39894228f * expf(-0.5f * x * x)", "", Cases: "Gelu"),
        new("Activation.cuh", "ReLU's gradient everywhere", "y > 0.f ? 1.f : 0.f", "1.f", Cases: "Relu"),
        new("Activation.cu", "the derivative of GELU from the result", "ACTIVATION == Gelu ? x[i] : 0.f", "0.f", Cases: "Gelu"),
        new("Primitive.cu", "difference the wrong way round", "ZIP_KERNEL(subtract, a - b)", "ZIP_KERNEL(subtract, b - a)", Cases: "Subtract"),
        new("Primitive.cu", "rows beyond the last", "if (row >= rows) return;", "", Cases: "Softmax"),
        new("Primitive.cu", "a maximum that begins at 0", "-__int_as_float(0x7F800000)", "0.f", nameof(PrimitivesOnGpuTests)),
    ];

    private static IEnumerable<Fault> Norms() =>
    [
        new("LayerNorm.cu", "rows beyond the last", "if (row.number >= rows) return;", "", Cases: "LayerNorm"),
        new("LayerNorm.cu", "variance of the wrong number of channels", "warpSum(squares) / channels", "warpSum(squares) / (channels + 1)", Cases: "LayerNorm"),
        new("LayerNorm.cu", "statistics are not kept", "mean[row.number] = average;", "", Cases: "LayerNorm"),
        new("LayerNorm.cu", "channels above 32 are left out", "c < channels; c += 32) sum += x[c]", "c < min(channels, 32); c += 32) sum += x[c]", Cases: "LayerNorm"),
        new("LayerNorm.cu", "no barrier before the warps' sums are added", "betas[warp][lane] = dBeta;\n    __syncthreads();", "betas[warp][lane] = dBeta;", Cases: "LayerNorm"),
        new("LayerNorm.cu", "one warp's sum is left out", "w < WARPS; w++", "w < WARPS - 1; w++", Cases: "LayerNorm"),
        new("LayerNorm.cu", "channels beyond the last", "if (warp != 0 || c >= channels) return;", "if (warp != 0) return;", Cases: "LayerNorm"),
        new("LayerNorm.cu", "a warp operation in a part of a warp", "sum = warpSum(sum) / channels;", "if (row.lane < 16) sum = warpSum(sum) / channels;", Cases: "LayerNorm"),
        new("LayerNorm.cu", "gamma and beta exchanged", "if (i < channels) dGamma[i] = sum;", "if (i >= channels) dGamma[i - channels] = sum;", Cases: "LayerNorm"),
    ];

    private static IEnumerable<Fault> Sums() =>
    [
        new("ColumnSum.cu", "no barrier before the warps' sums are added", "sums[warp][lane] = sum;\n    __syncthreads();", "sums[warp][lane] = sum;", Cases: "Linear"),
        new("ColumnSum.cu", "columns beyond the last", "if (warp != 0 || column >= columns) return;", "if (warp != 0) return;", Cases: "Linear"),
        new("ColumnSum.cu", "one row is left out", "row = first + warp; row < last", "row = first + warp; row < last - 1", Cases: "Linear"),
        new("ColumnSum.cu", "threads beyond the last column", "if (column >= columns) return;\n    float sum = 0.f;\n    for (int chunk", "float sum = 0.f;\n    for (int chunk", Cases: "Linear"),
    ];

    private static IEnumerable<Fault> Products()
    {
        const string Gemm = nameof(GemmOnGpuTests);
        return
        [
            new("Gemm.cuh", "rows beyond the last are read", "i < p.m && j < p.k ?", "j < p.k ?", Gemm),
            new("Gemm.cuh", "the depth has no bound", "i < p.m && j < p.k ?", "i < p.m ?", Gemm),
            new("Gemm.cuh", "elements beyond C are written", "if (i >= p.m || j >= p.n) return;", "", Gemm),
            new("Gemm.cuh", "the bias by rows", "p.bias[j]", "p.bias[i]", Gemm),
            new("Gemm.cuh", "the residual before the activation is lost", "if (p.residual) sum +=", "if (p.residual) sum =", Gemm),
            new("Gemm.cu", "the tile that follows is the same again", "int depth = step * Sums::DEPTH;", "int depth = 0;", Gemm),
            new("Gemm.cu", "rows and depths exchanged where A lies along its rows", "int aRow(int i) const { return placeOf(i, aAlongDepth); }", "int aRow(int i) const { return placeOf(i, !aAlongDepth); }", Gemm),
            new("GemmTile.cuh", "no barrier before a tile is read (float32)", "            }\n            __syncthreads();\n            if (step + 1 < steps) next.load(step + 1);\n            // Sums", "            }\n            if (step + 1 < steps) next.load(step + 1);\n            // Sums", Gemm),
            new("GemmTile.cuh", "no barrier behind the reading of a tile (float32)", "sums[i][j] += partial[i][j];\n            __syncthreads();", "sums[i][j] += partial[i][j];", Gemm),
            new("GemmTile.cuh", "the sums of the step before are lost (float32)", "sums[i][j] += partial", "sums[i][j] = partial", Gemm),
            new("GemmTile.cuh", "one stage instead of two", "int stage = step & 1;", "int stage = 0;", Gemm),
            new("GemmTile.cuh", "no barrier before a tile is multiplied (16 bits)", "__syncthreads();\n            if (step + 1 < steps) next.load(step + 1);\n            #pragma unroll\n            for (int d = 0; d < DEPTH; d += 16)", "if (step + 1 < steps) next.load(step + 1);\n            #pragma unroll\n            for (int d = 0; d < DEPTH; d += 16)", Gemm),
            new("GemmTile.cuh", "no barrier behind the reading of a tile (tf32)", "right[0], right[4]);\n                }\n            }\n            __syncthreads();", "right[0], right[4]);\n                }\n            }", Gemm),
            new("GemmTile.cuh", "fragments of B from the wrong lanes", "((lane >> 3) & 1) * 8", "((lane >> 4) & 1) * 8", Gemm),
            new("GemmTile.cuh", "rows of A that are not 16-byte aligned", "DEPTH + 8]", "DEPTH + 4]", Gemm),
            new("GemmTile.cuh", "the next step is not loaded", "next.load(step + 1)", "next.load(step)", Gemm),
            new("GemmTile.cuh", "the second half of the depth is left out (tf32)", "left[i], right[0], right[4]", "left[i], right[0], 0u", Gemm),
            new("GemmTile.cuh", "warps share columns", "column = (threadIdx.x >> 6) * 32;", "column = (threadIdx.x >> 5 & 1) * 32;", Gemm),
            new("HalfType.cuh", "float16 computed as bfloat16", "multiplyAddF16(sums", "multiplyAddBf16(sums", Gemm),
            new("HalfType.cuh", "neighbours exchanged", "= packBf16(first, second)", "= packBf16(second, first)", nameof(RoundedOnGpuTests)),
            new("Gemm.cuh", "a residual that is read in the type of the result", "sum += p.residual[i * p.residualRow + j]", "sum += toFloat(((RESULT*)p.residual)[i * p.residualRow + j])", nameof(RoundedOnGpuTests)),
            new("HalfType.cuh", "halves of a register exchanged", "packF16(low, high)", "packF16(high, low)", nameof(LayersOnGpuTests), "WindowAttention Float16"),
        ];
    }
}
