using Lavt.Models;
using Lavt.Tensors;

namespace Lavt.Training;

/// <summary>What a model learns from and is measured on: pictures or clips.</summary>
internal interface ITrainingData
{
    /// <summary>What the log calls it, such as <c>refcoco (unc): 120624 objects to train on, 10834 to validate on</c>.</summary>
    string Description { get; }

    /// <summary>The number of training samples.</summary>
    int Count { get; }

    /// <summary>Whether there is anything to validate on.</summary>
    bool CanValidate { get; }

    /// <summary>The full batches of an epoch, each as what makes its tensors in the memory scope that is open then.</summary>
    /// <param name="seed">The seed of the run.</param>
    /// <param name="epoch">The epoch, from 0.</param>
    /// <param name="firstBatch">The batch to begin with.</param>
    /// <exception cref="Data.DataException">A sample is missing or broken.</exception>
    IEnumerable<Func<TrainingTensors>> Read(ulong seed, int epoch, int firstBatch);

    /// <summary>Measures the model on the validation split.</summary>
    /// <param name="model">The model; it is put into evaluation mode.</param>
    /// <param name="progress">Gets the number of sentences that are done and that of all.</param>
    /// <param name="stop">Asks for a stop.</param>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    ValidationResult Validate(LavtModel model, Action<int, int> progress, CancellationToken stop);
}

/// <summary>A batch as tensors.</summary>
/// <param name="Pictures">[B, 3, S, S], or clips [B, T, 3, S, S].</param>
/// <param name="TokenIds">The ids of the word pieces [B, L] (I64).</param>
/// <param name="TokenMask">1 for word pieces, 0 for padding [B, L].</param>
/// <param name="Masks">The true masks of 0 and 1 [N, S, S] (U8).</param>
/// <param name="AnnotatedRows">The rows of the logits that the masks belong to [N] (I64); null if there is one for each.</param>
internal sealed record TrainingTensors(Tensor Pictures, Tensor TokenIds, Tensor TokenMask, Tensor Masks, Tensor? AnnotatedRows = null)
{
    /// <summary>All of them in a row, for <see cref="Of"/>.</summary>
    public Tensor[] ToArray() => AnnotatedRows is { } rows ? [Pictures, TokenIds, TokenMask, Masks, rows] : [Pictures, TokenIds, TokenMask, Masks];

    /// <summary>The same from copies of <see cref="ToArray"/>.</summary>
    public static TrainingTensors Of(Tensor[] all) => new(all[0], all[1], all[2], all[3], all.Length > 4 ? all[4] : null);
}

/// <summary>How a model did on the validation split. All scores are in per cent.</summary>
/// <param name="Sentences">Sentences that were evaluated.</param>
/// <param name="MeanIou">The mean of the sentences' IoU; for videos J.</param>
/// <param name="OverallIou">All intersections over all unions.</param>
/// <param name="JAndF">J&amp;F of videos; null elsewhere.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="BrokenSamples">Samples that could not be read, and why.</param>
internal sealed record ValidationResult(int Sentences, double MeanIou, double OverallIou, double? JAndF, double Seconds, IReadOnlyList<string> BrokenSamples);
