using System.Text.Json;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Nn.Weights;
using Lavt.Scoring;

namespace Lavt.Evaluation;

/// <summary>
/// Writes the predicted masks of A2D-Sentences (<c>--a2d_masks</c>): <c>VIDEO/FRAME/INSTANCE.png</c>, and <c>scores.json</c>
/// with how sure the model was of each. <see cref="A2dScorer"/> reads them.
/// </summary>
public sealed class A2dMaskFolder
{
    private readonly string _folder;
    private readonly SortedDictionary<string, double> _confidences = new(StringComparer.Ordinal);

    /// <summary>Makes the folder.</summary>
    public A2dMaskFolder(string folder)
    {
        OutputPath.MakeFolder(folder);
        _folder = folder;
    }

    /// <summary>Writes a mask.</summary>
    /// <param name="sentence">The sentence that it answers.</param>
    /// <param name="mask">The mask, at the model's size or at the original one.</param>
    /// <param name="confidence">How sure the model is: the mean probability of the object over the mask, 0 … 1.</param>
    public void Add(A2dSentence sentence, Mask mask, double confidence)
    {
        ArgumentNullException.ThrowIfNull(sentence);
        ArgumentNullException.ThrowIfNull(mask);
        string file = A2dScorer.MaskPath(_folder, sentence);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        mask.SavePng(file);
        _confidences[sentence.Name] = confidence;
    }

    /// <summary>Writes how sure the model was of all masks.</summary>
    public void Finish() => File.WriteAllBytes(Path.Combine(_folder, A2dScorer.ConfidenceFile), JsonSerializer.SerializeToUtf8Bytes(_confidences));
}
