using Lavt.Kernels;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Prediction;

/// <summary>
/// Has the kernels compiled while the main thread is still busy with the command line and the checkpoint, which leave cores
/// idle: a tiny model of the same kind predicts once.
/// </summary>
internal static class WarmUp
{
    // Large enough for every kind of kernel that the usual pictures need: the last maps have more than 2048 pixels.
    private const int Side = 192;
    private const int Words = 20;

    /// <summary>Starts it on a thread of its own, unless one thread was asked for or there is one core.</summary>
    public static void Start()
    {
        if (Workers.Current.Count > 1)
            new Thread(Run) { IsBackground = true, Name = "lavt warm-up" }.Start();
    }

    private static void Run()
    {
        // Two workers, for loops on one take another way; not the shared ones, which are wanted for the checkpoint.
        using Workers workers = new(2);
        Workers.Use(workers);
        using MemoryScope scope = MemoryScope.Begin();
        LavtModel model = new(Tiny(), RandomSource.None);
        Tensor picture = Tensor.Zeros([1, 3, Side, Side]), ids = Tensor.Zeros([1, Words], DType.I64), mask = Tensor.Zeros([1, Words]);
        mask.Span<float>().Fill(1);
        model.Forward(picture, model.TextEncoder.Forward(ids, mask), mask);
    }

    private static ModelOptions Tiny() => new()
    {
        Model = ModelKind.LavtOne,
        EmbedDim = 32,
        Depths = new PerStage(2, 1, 1, 1),
        Heads = new PerStage(1, 2, 4, 8),
        Bert = new BertOptions { VocabularySize = 1, HiddenSize = 32, Layers = 1, Heads = 1, IntermediateSize = 32, Positions = Words },
    };
}
