using System.Runtime.ExceptionServices;
using Lavt.Imaging;
using Lavt.Nn.Weights;
using Lavt.Text;

namespace Lavt.Data;

/// <summary>
/// Reads a whole REFER data set and lists everything that is wrong with it: references without annotation or picture,
/// pictures that are missing, cut off, damaged or of another size, outlines that cannot be drawn or cover nothing, empty and
/// unknown sentences. Goes on past every error.
/// </summary>
/// <param name="root">The folder of all data sets.</param>
/// <param name="dataset">refcoco, refcoco+ or refcocog.</param>
/// <param name="splitBy">unc, umd or google.</param>
public sealed class DataVerifier(string root, string dataset, string splitBy)
{
    private const int ChunkSize = 128;
    private readonly HashSet<long> _sentenceIds = [];
    private int _errors;
    private int _warnings;
    private int _cutOff;

    /// <summary>The vocabulary to check the sentences with; without it only empty ones are found.</summary>
    public BertTokenizer? Tokenizer { get; init; }

    /// <summary>The length of a row of word pieces, for counting the sentences that lose their end.</summary>
    public int MaxTokens { get; init; } = 20;

    /// <summary>The number of threads that read pictures.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Gets each problem, in the order of the files whatever the number of threads.</summary>
    public Action<DataProblem>? Found { get; init; }

    /// <summary>Gets the number of pictures that are done and the number of all.</summary>
    public Action<int, int>? Progress { get; init; }

    /// <summary>Verifies the data set.</summary>
    /// <exception cref="DllNotFoundException">A decoding library is not installed; the message says how to get it.</exception>
    public DataReport Run()
    {
        ReferData? data = Load();
        IReadOnlyList<ReferSample> samples = data?.Samples ?? [];
        foreach (ReferSample sample in samples) CheckSentences(data!, sample);
        List<List<ReferSample>> pictures = [.. samples.GroupBy(sample => sample.Image.Id).Select(group => group.ToList())];
        for (int first = 0; first < pictures.Count; first += ChunkSize)
        {
            List<List<ReferSample>> chunk = pictures.GetRange(first, Math.Min(ChunkSize, pictures.Count - first));
            foreach (DataProblem problem in CheckPictures(data!, chunk)) Report(problem);
            Progress?.Invoke(first + chunk.Count, pictures.Count);
        }
        return new DataReport
        {
            Splits = [.. samples.GroupBy(sample => sample.Split).Select(group => (group.Key, group.Count()))],
            Samples = samples.Count,
            Pictures = pictures.Count,
            Sentences = samples.Sum(sample => sample.Sentences.Count),
            CutOffSentences = _cutOff,
            Errors = _errors,
            Warnings = _warnings,
        };
    }

    private ReferData? Load()
    {
        try
        {
            return ReferData.Load(root, dataset, splitBy, Report);
        }
        catch (DataException failure)
        {
            Report(failure.Problem);
        }
        catch (Exception failure) when (failure is PickleException or IOException or UnauthorizedAccessException)
        {
            Report(new DataProblem(ReferData.ReferencePathOf(root, dataset, splitBy), "", failure.Message));
        }
        return null;
    }

    /// <summary>Checks some pictures side by side; the problems come in the order of the pictures.</summary>
    private List<DataProblem> CheckPictures(ReferData data, List<List<ReferSample>> pictures)
    {
        List<DataProblem>[] problems = new List<DataProblem>[pictures.Count];
        ParallelOptions options = new() { MaxDegreeOfParallelism = Threads };
        try
        {
            Parallel.For(0, pictures.Count, options, () => new Desk(), (i, _, desk) =>
            {
                problems[i] = desk.Check(data, pictures[i]);
                return desk;
            }, _ => { });
        }
        catch (AggregateException failure)
        {
            ExceptionDispatchInfo.Throw(failure.Flatten().InnerExceptions[0]);
        }
        return [.. problems.SelectMany(list => list)];
    }

    private void Report(DataProblem problem)
    {
        if (problem.IsWarning) _warnings++;
        else _errors++;
        Found?.Invoke(problem);
    }

    private void CheckSentences(ReferData data, ReferSample sample)
    {
        foreach (ReferSentence sentence in sample.Sentences)
        {
            string place = $"{sample.Place}, sentence {sentence.Id}";
            if (!_sentenceIds.Add(sentence.Id)) Report(Warning("the number of this sentence occurs twice"));
            if (string.IsNullOrWhiteSpace(sentence.Raw)) Report(Warning("the sentence is empty"));
            else if (Tokenizer is not null) CheckWords(sentence, Warning);

            DataProblem Warning(string text) => new(data.ReferencePath, place, text, IsWarning: true);
        }
    }

    private void CheckWords(ReferSentence sentence, Func<string, DataProblem> warning)
    {
        Tokens tokens = Tokenizer!.Encode(sentence.Raw, MaxTokens);
        if (tokens.IsCutOff) _cutOff++;
        int unknown = tokens.Ids.Count(id => id == Tokenizer.UnknownId), words = tokens.FullLength - 2;
        if (unknown > 0 && unknown >= words) Report(warning($"no word of '{sentence.Raw}' is in the vocabulary"));
    }

    /// <summary>The memory of one checking thread.</summary>
    private sealed class Desk
    {
        private readonly PictureReader _reader = new();
        private readonly Picture _picture = new();
        private readonly Mask _mask = new();

        /// <summary>Checks a picture and the outlines of its samples.</summary>
        public List<DataProblem> Check(ReferData data, List<ReferSample> samples)
        {
            List<DataProblem> problems = [];
            ReferImage image = samples[0].Image;
            string path = data.PicturePath(samples[0]), place = $"image {image.Id} of ref {string.Join(", ", samples.Select(sample => sample.RefId))}";
            try
            {
                _reader.Read(path, _picture);
                if (_reader.Warning is not null) problems.Add(new DataProblem(path, place, $"readable, but damaged ({_reader.Warning})", IsWarning: true));
                if (_picture.Rows != image.Rows || _picture.Columns != image.Columns)
                {
                    string text = $"the picture has {_picture.Rows} x {_picture.Columns} pixels, {data.InstancePath} says {image.Rows} x {image.Columns}";
                    problems.Add(new DataProblem(path, place, text, IsWarning: true));
                }
            }
            catch (PictureException failure)
            {
                problems.Add(new DataProblem(path, place, failure.Problem));
            }
            foreach (ReferSample sample in samples) CheckOutline(data, sample, problems);
            return problems;
        }

        private void CheckOutline(ReferData data, ReferSample sample, List<DataProblem> problems)
        {
            try
            {
                sample.Segmentation.Rasterize(sample.Image.Rows, sample.Image.Columns, _mask);
                if (_mask.Area() == 0) problems.Add(new DataProblem(data.InstancePath, sample.Place, "the mask covers no pixel", IsWarning: true));
            }
            catch (FormatException failure)
            {
                problems.Add(new DataProblem(data.InstancePath, sample.Place, failure.Message));
            }
        }
    }
}
