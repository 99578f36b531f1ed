namespace Lavt.Tests.Cuda;

/// <summary>Faults of the products with wgmma and TMA; part of <see cref="PlantedFaults"/>.</summary>
public static class PlantedHopperFaults
{
    private const string Tests = nameof(GemmHopperTests);

    /// <summary>All of them; those of a file together.</summary>
    public static IEnumerable<Fault> All => [.. MainLoop(), .. Tiles(), .. Packing(), .. Convolutions()];

    private static IEnumerable<Fault> MainLoop() =>
    [
        new("GemmHopper.cuh", "a stage is multiplied before its copies are there", "        waitForPhase(&ring.full[at.stage], at.parity);\n", "", Tests),
        new("GemmHopper.cuh", "the wrong phase of a full stage", "waitForPhase(&ring.full[at.stage], at.parity)", "waitForPhase(&ring.full[at.stage], at.parity ^ 1)", Tests),
        new("GemmHopper.cuh", "a stage is filled again before it is empty", "        waitForPhase(&ring.empty[at.stage], at.parity ^ 1);\n", "", Tests),
        new("GemmHopper.cuh", "the wrong phase of an empty stage", "waitForPhase(&ring.empty[at.stage], at.parity ^ 1)", "waitForPhase(&ring.empty[at.stage], at.parity)", Tests),
        new("GemmHopper.cuh", "phases do not alternate", "        parity ^= 1;\n", "", Tests),
        new("GemmHopper.cuh", "fewer bytes are announced than come", "&ring.full[at.stage], S::BYTES)", "&ring.full[at.stage], S::LEFT_BYTES)", Tests),
        new("GemmHopper.cuh", "more arrivals are awaited than come", "initBarrier(&empty[i], HOPPER_WARPS)", "initBarrier(&empty[i], HOPPER_WARPS + 1)", Tests),
        new("GemmHopper.cuh", "fewer arrivals are awaited than come", "initBarrier(&empty[i], HOPPER_WARPS)", "initBarrier(&empty[i], HOPPER_WARPS / 2)", Tests),
        new("GemmHopper.cuh", "copies may not see the barriers", "            publishBarriers();\n", "", Tests),
        new("GemmHopper.cuh", "no barrier behind the initialisation", "publishBarriers();\n        }\n        __syncthreads();", "publishBarriers();\n        }", Tests),
        new("GemmHopper.cuh", "no fence before the products", "    fenceProducts();\n", "", Tests),
        new("GemmHopper.cuh", "products are not committed", "    commitProducts();\n", "", Tests),
        new("GemmHopper.cuh", "nobody waits for the products of a stage", "        waitForProducts<S::PRODUCTS_UNDER_WAY>();\n", "", Tests),
        new("GemmHopper.cuh", "nobody waits for the last products", "        waitForProducts<0>();\n", "", Tests),
        new("GemmHopper.cuh", "fragments are overwritten under way", "PRODUCTS_UNDER_WAY = ROUNDED ? 0 : 1", "PRODUCTS_UNDER_WAY = 1", Tests),
        new("GemmHopper.cuh", "a stage is given back a step early", "step >= S::PRODUCTS_UNDER_WAY) arrive", "step >= 0) arrive", Tests),
        new("GemmHopper.cuh", "a stage is never given back", "arrive(&ring.empty[ended]);\n        if", ";\n        if", Tests),
        new("GemmHopper.cuh", "the wrong swizzle", "swizzle = row & 7", "swizzle = row & 3", Tests),
        new("GemmHopper.cuh", "lanes read each other's columns", "place = (lane & 3) * 2", "place = lane & 3", Tests),
        new("GemmHopper.cuh", "both halves are the upper rows", "line + half * 8 * ROW_BYTES + ((place ^ swizzle)", "line + ((place ^ swizzle)", Tests),
        new("GemmHopper.cuh", "the depth of B moves too far", "describeTile(right + i * 32)", "describeTile(right + i * 64)", Tests),
        new("GemmHopper.cuh", "the depth of A stands still", "ROW_BYTES + i * 32)", "ROW_BYTES)", Tests),
        new("GemmHopper.cuh", "both groups multiply the same rows", "describeTile(left + group * GROUP_ROWS * ROW_BYTES", "describeTile(left", Tests),
        new("GemmHopper.cuh", "sums of the last tile stay", "!isFirst || i > 0", "true", Tests),
        new("GemmHopper.cuh", "every product begins anew", "!isFirst || i > 0", "i > 0", Tests),
    ];

    private static IEnumerable<Fault> Tiles() =>
    [
        new("GemmHopper.cuh", "columns beyond C are written", "if (column + j * 8 < p.n) finishPair", "finishPair", Tests),
        new("GemmHopper.cuh", "every warp of the first group copies", "if (threadIdx.x != 0) return;", "if (threadIdx.x & 31) return;", Tests),
        new("GemmHopper.cuh", "the second half's rows are the first's", "rowOf(tile, row + half * 8)", "rowOf(tile, row)", Tests),
        new("GemmHopper.cuh", "both of a pair take one bias", "p.bias[j + 1]", "p.bias[j]", Tests),
        new("GemmHopper.cuh", "the activation is left out", "activate<ACTIVATION>(sum.y)", "sum.y", Tests),
        new("GemmHopper.cuh", "old values are lost", "if (p.accumulate) sum", "if (false) sum", Tests),
        new("GemmHopper.cu", "rows beyond C are written", "return i < p.m ? i : -1;", "return i;", Tests),
        new("GemmHopper.cu", "boxes are a column off", "step * S::DEPTH + i * S::BOX, ", "step * S::DEPTH + i * S::BOX + 1, ", Tests),
        new("GemmHopper.cu", "boxes lie one above the other", "copyTile(left + i * S::BOX_BYTES", "copyTile(left", Tests),
        new("GemmHopper.cu", "a tile of B is a row off", "tiles.column(tile), barrier", "tiles.column(tile) + 1, barrier", Tests),
        new("GemmHopper.cu", "the right tile lies on the left one", "copyTile(right, b", "copyTile(left, b", Tests),
        new("GemmHopper.cu", "tiles of the last rows are left out", "min(ROWS_TOGETHER, rows - first(tile))", "ROWS_TOGETHER", Tests),
        new("GemmHopper.cu", "the last depth is left out", "(p.k + S::DEPTH - 1) / S::DEPTH", "p.k / S::DEPTH", Tests),
    ];

    private static IEnumerable<Fault> Convolutions()
    {
        const string Convolutions = nameof(ConvolutionHopperTests);
        return
        [
            new("ConvolutionHopper.cu", "a tap too far to the left", "tap % shape.kernelWidth - shape.kernelWidth / 2", "tap % shape.kernelWidth - shape.kernelWidth", Convolutions),
            new("ConvolutionHopper.cu", "rows and columns of the kernel exchanged", "box.y + tap / shape.kernelWidth % shape.kernelHeight", "box.y + tap % shape.kernelHeight", Convolutions),
            new("ConvolutionHopper.cu", "taps read their own frame", "tap / (shape.kernelWidth * shape.kernelHeight) - shape.kernelFrames / 2", "0", Convolutions),
            new("ConvolutionHopper.cu", "all maps are the first", "frame, box.map, barrier", "frame, 0, barrier", Convolutions),
            new("ConvolutionHopper.cu", "the channels of the first stage for all", "channel + i * S::BOX", "i * S::BOX", Convolutions),
            new("ConvolutionHopper.cu", "pixels beyond the frame are written", "i < shape.height && j < shape.width ?", "j < shape.width ?", Convolutions),
            new("ConvolutionHopper.cu", "boxes row by row of the wrong width", "row % shape.boxWidth", "row % shape.boxHeight", Convolutions),
            new("ConvolutionHopper.cu", "the last boxes of a frame are left out", "(shape.height + shape.boxHeight - 1) / shape.boxHeight;\n        column", "shape.height / shape.boxHeight;\n        column", Convolutions),
            new("GemmPack.cu", "all taps are the first", "    b += blockIdx.z * bTap;\n", "", Convolutions),
        ];
    }

    private static IEnumerable<Fault> Packing() =>
    [
        new("GemmPack.cu", "the depth in another order", "(slot & 1) + (slot >> 3) * 2", "(slot & 1) + (slot >> 3)", Tests),
        new("GemmPack.cu", "the order of float32 for rows in 16 bits too", "isReordered ? columnAt(lane) : lane", "columnAt(lane)", Tests),
        new("GemmPack.cu", "no barrier before the tile is read", "    __syncthreads();\n", "", Tests),
        new("GemmPack.cu", "rows are filled up with what lies behind", "firstDepth + d < depth && ", "", Tests),
        new("GemmPack.cu", "columns beyond the last are written", "c < TILE && firstColumn + c < columns", "c < TILE", Tests),
    ];
}
