using Lavt.Text;

namespace Lavt.Data;

/// <summary>
/// The samples of one split, or of that split of several data sets together, with their sentences as word pieces, ready to be
/// loaded at one size.
/// </summary>
public sealed class ReferDataset
{
    private readonly IReadOnlyList<ReferData> _sets;
    private readonly List<(ReferData Data, ReferSample Sample)> _samples = [];
    private readonly Tokens[][] _sentences;

    /// <summary>Takes a split of a data set.</summary>
    /// <param name="data">The data set.</param>
    /// <param name="split">train, val, test, testA or testB.</param>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="imageSize">The side in pixels to which pictures and masks are squashed.</param>
    /// <param name="maxTokens">The length of a row of word pieces; 20 in LAVT.</param>
    /// <exception cref="DataException">There is no such split, or it is empty.</exception>
    public ReferDataset(ReferData data, string split, BertTokenizer tokenizer, int imageSize, int maxTokens)
        : this([data], split, tokenizer, imageSize, maxTokens)
    {
    }

    /// <summary>Takes the same split of several data sets.</summary>
    /// <param name="sets">The data sets, at least one.</param>
    /// <param name="split">train, val, test, testA or testB.</param>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="imageSize">The side in pixels to which pictures and masks are squashed.</param>
    /// <param name="maxTokens">The length of a row of word pieces; 20 in LAVT.</param>
    /// <exception cref="DataException">There is no such split, or it is empty.</exception>
    public ReferDataset(IReadOnlyList<ReferData> sets, string split, BertTokenizer tokenizer, int imageSize, int maxTokens)
    {
        ArgumentNullException.ThrowIfNull(sets);
        ArgumentOutOfRangeException.ThrowIfZero(sets.Count, "sets.Count");
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(imageSize, 1);
        _sets = sets;
        (Split, ImageSize, MaxTokens) = (split, imageSize, maxTokens);
        foreach (ReferData data in sets) _samples.AddRange(data.Split(split).Select(sample => (data, sample)));
        _sentences = [.. _samples.Select(entry => entry.Sample.Sentences.Select(sentence => tokenizer.Encode(sentence.Raw, maxTokens)).ToArray())];
        SentenceCount = _sentences.Sum(sentences => sentences.Length);
    }

    /// <summary>The data set that this is a split of; the first one of several.</summary>
    public ReferData Data => _sets[0];

    /// <summary>The name of the data set, or the names of all.</summary>
    public string Name => string.Join(", ", _sets.Select(data => data.Dataset));

    /// <summary>Who cut the data sets into splits.</summary>
    public string SplitBy => string.Join(", ", _sets.Select(data => data.SplitBy).Distinct());

    /// <summary>The name of the split.</summary>
    public string Split { get; }

    /// <summary>The side of pictures and masks in pixels.</summary>
    public int ImageSize { get; }

    /// <summary>The length of a row of word pieces.</summary>
    public int MaxTokens { get; }

    /// <summary>The number of samples (objects).</summary>
    public int Count => _samples.Count;

    /// <summary>The number of sentences of all samples.</summary>
    public int SentenceCount { get; }

    /// <summary>A sample.</summary>
    public ReferSample this[int index] => _samples[index].Sample;

    /// <summary>The data set of a sample.</summary>
    public ReferData DataOf(int index) => _samples[index].Data;

    /// <summary>How messages name a sample; data sets that are read together count theirs alike.</summary>
    public string PlaceOf(int index) => _sets.Count == 1 ? this[index].Place : $"{DataOf(index).Dataset} {this[index].Place}";

    /// <summary>The sentences of a sample as word pieces, in the order of <see cref="ReferSample.Sentences"/>.</summary>
    public IReadOnlyList<Tokens> Sentences(int index) => _sentences[index];

    /// <summary>
    /// What an epoch of training reads: every sample once, in an order that depends on seed and epoch alone, each with one
    /// of its sentences, which depends on seed, epoch and sample.
    /// </summary>
    /// <param name="seed">The seed of the run.</param>
    /// <param name="epoch">The epoch, from 0.</param>
    public SampleChoice[] TrainingPlan(ulong seed, int epoch)
    {
        int[] order = EpochPlan.Order(Count, seed, epoch);
        return [.. order.Select(index => new SampleChoice(index, RandomSentence(index, seed, epoch)))];
    }

    /// <summary>Every sentence of every sample in order, which is what published figures are measured on.</summary>
    public SampleChoice[] EvaluationPlan() =>
        [.. Enumerable.Range(0, Count).SelectMany(index => Enumerable.Range(0, _sentences[index].Length).Select(sentence => new SampleChoice(index, sentence)))];

    private int RandomSentence(int index, ulong seed, int epoch) =>
        (int)((uint)(EpochPlan.Draw(index, seed, epoch) >> 32) % (uint)_sentences[index].Length);
}

/// <summary>One of the sentences of a sample.</summary>
/// <param name="Sample">The index of the sample in its <see cref="ReferDataset"/>.</param>
/// <param name="Sentence">The index of the sentence in the sample.</param>
public readonly record struct SampleChoice(int Sample, int Sentence);
