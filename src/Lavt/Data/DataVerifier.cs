using Lavt.Imaging;
using Lavt.Nn.Weights;

namespace Lavt.Data;

/// <summary>
/// Reads a whole REFER data set and lists everything that is wrong with it: references without annotation or picture,
/// pictures that are missing, cut off, damaged or of another size, outlines that cannot be drawn or cover nothing, empty and
/// unknown sentences. Goes on past every error.
/// </summary>
/// <param name="root">The folder of all data sets.</param>
/// <param name="dataset">refcoco, refcoco+ or refcocog.</param>
/// <param name="splitBy">unc, umd or google.</param>
public sealed class DataVerifier(string root, string dataset, string splitBy) : Verifier
{
    private readonly HashSet<long> _sentenceIds = [];

    /// <inheritdoc/>
    public override DataReport Run()
    {
        ReferData? data = Load();
        IReadOnlyList<ReferSample> samples = data?.Samples ?? [];
        foreach (ReferSample sample in samples) CheckSentences(data!, sample);
        List<List<ReferSample>> pictures = [.. samples.GroupBy(sample => sample.Image.Id).Select(group => group.ToList())];
        CheckAll(pictures, () => new Desk(), (desk, group) => desk.Check(data!, group));
        return new DataReport
        {
            Splits = [.. samples.GroupBy(sample => sample.Split).Select(group => (group.Key, group.Count()))],
            Samples = samples.Count,
            Pictures = pictures.Count,
            Sentences = samples.Sum(sample => sample.Sentences.Count),
            CutOffSentences = CutOff,
            Errors = Errors,
            Warnings = Warnings,
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

    private void CheckSentences(ReferData data, ReferSample sample)
    {
        foreach (ReferSentence sentence in sample.Sentences)
        {
            string place = $"{sample.Place}, sentence {sentence.Id}";
            if (!_sentenceIds.Add(sentence.Id)) Report(Warning("the number of this sentence occurs twice"));
            CheckSentence(sentence.Raw, Warning);

            DataProblem Warning(string text) => new(data.ReferencePath, place, text, IsWarning: true);
        }
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
