using Lavt.Data;

namespace Lavt.Evaluation;

/// <summary>
/// Gives each object a sentence of another object of its picture. A model that listens then marks the other object, and its
/// scores break down; one that guesses keeps them.
/// </summary>
internal sealed class SentenceSwap
{
    private readonly ReferDataset _dataset;
    private readonly int[] _others;

    public SentenceSwap(ReferDataset dataset)
    {
        _dataset = dataset;
        ILookup<long, int> ofPicture = Enumerable.Range(0, dataset.Count).ToLookup(index => dataset[index].Image.Id);
        _others = [.. Enumerable.Range(0, dataset.Count).Select(index => Other(index, ofPicture[dataset[index].Image.Id]))];
    }

    /// <summary>The items of a plan whose picture has another object.</summary>
    public SampleChoice[] Possible(SampleChoice[] plan) => [.. plan.Where(choice => _others[choice.Sample] >= 0)];

    /// <summary>The sentence that an item gets.</summary>
    public SampleChoice Swapped(SampleChoice choice)
    {
        int other = _others[choice.Sample];
        return new SampleChoice(other, choice.Sentence % _dataset.Sentences(other).Count);
    }

    /// <summary>Puts the other objects' sentences into a batch.</summary>
    public void Apply(Batch batch)
    {
        for (int item = 0; item < batch.Count; item++)
        {
            SampleChoice other = Swapped(batch.Choices[item]);
            batch.UseSentence(item, _dataset.Sentences(other.Sample)[other.Sentence]);
        }
    }

    /// <summary>The next sample of the picture with another object, in a circle; −1 if there is none.</summary>
    private int Other(int index, IEnumerable<int> ofPicture) =>
        ofPicture.Where(other => _dataset[other].AnnotationId != _dataset[index].AnnotationId)
            .OrderBy(other => other < index).ThenBy(other => other).DefaultIfEmpty(-1).First();
}
