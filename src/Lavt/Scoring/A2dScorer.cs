using System.Globalization;
using System.Text.Json;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Metrics;

namespace Lavt.Scoring;

/// <summary>
/// Scores predicted masks of A2D-Sentences: <c>VIDEO/FRAME/INSTANCE.png</c>, as <c>--a2d_masks</c> writes them, and where it is
/// there <c>scores.json</c> with how sure the model was of each (<c>{"v_VIDEO_f_FRAME_i_INSTANCE": 0.9, …}</c>). Masks of another
/// size than the truth are compared at their own size.
/// </summary>
public static class A2dScorer
{
    /// <summary>The file with how sure the model was of each mask.</summary>
    public const string ConfidenceFile = "scores.json";

    /// <summary>The file of a sentence's mask.</summary>
    public static string MaskPath(string folder, A2dSentence sentence)
    {
        ArgumentNullException.ThrowIfNull(sentence);
        return Path.Combine(folder, sentence.Video, sentence.Frame.ToString(CultureInfo.InvariantCulture), sentence.Instance.ToString(CultureInfo.InvariantCulture) + ".png");
    }

    /// <summary>Scores a folder of masks.</summary>
    /// <param name="predictions">The folder.</param>
    /// <param name="data">The split that they belong to.</param>
    /// <param name="progress">Gets the number of sentences that are done and the number of all.</param>
    /// <exception cref="DataException">The folder, or a true mask, is missing or broken.</exception>
    public static A2dScores Score(string predictions, A2dData data, Action<int, int>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (!Directory.Exists(predictions)) throw new DataException(new DataProblem(predictions, "", "there is no such folder"), "give the folder of masks");
        Dictionary<string, double>? confidences = ReadConfidences(Path.Combine(predictions, ConfidenceFile));
        SegmentationMeasures measures = new();
        AveragePrecision precision = new();
        List<A2dResult> results = [];
        List<string> missing = [];
        Desk desk = new();
        foreach (A2dSentence sentence in data.Sentences)
        {
            MaskOverlap overlap = desk.Compare(predictions, data, sentence, missing);
            double confidence = confidences is null ? 1 : confidences.GetValueOrDefault(sentence.Name);
            measures.Add(overlap);
            precision.Add(confidence, overlap.Iou);
            results.Add(new A2dResult(sentence.Name, sentence.Text, overlap.Intersection, overlap.Union, overlap.Iou, confidence));
            progress?.Invoke(results.Count, data.Sentences.Count);
        }
        return new A2dScores
        {
            Scores = Scores.Of(measures),
            MeanAveragePrecision = precision.Mean(),
            HasConfidences = confidences is not null,
            Results = results,
            Missing = [.. missing.Distinct()],
            Surplus = SurplusIn(predictions, data),
        };
    }

    private static Dictionary<string, double>? ReadConfidences(string path)
    {
        if (!File.Exists(path)) return null;
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, double>>(File.ReadAllBytes(path));
        }
        catch (JsonException failure)
        {
            throw new DataException(new DataProblem(path, "", $"not an object of names and numbers ({failure.Message})"), "write it again, or remove it", failure);
        }
    }

    private static List<string> SurplusIn(string predictions, A2dData data)
    {
        HashSet<string> known = [.. data.Sentences.Select(sentence => MaskPath(predictions, sentence))];
        return [.. Directory.EnumerateFiles(predictions, "*.png", SearchOption.AllDirectories).Where(file => !known.Contains(file)).Order(StringComparer.Ordinal)];
    }

    /// <summary>The memory for masks.</summary>
    private sealed class Desk
    {
        private readonly PictureReader _reader = new();
        private readonly Mask _prediction = new();
        private readonly Mask _truth = new();
        private readonly Mask _squashed = new();

        /// <summary>Compares a mask; one that is missing or broken counts as empty and is named.</summary>
        public MaskOverlap Compare(string folder, A2dData data, A2dSentence sentence, List<string> missing)
        {
            string path = MaskPath(folder, sentence);
            A2dMask.Read(data.MaskPath(sentence.Video, sentence.Frame), sentence.Instance, sentence.Name, _truth);
            try
            {
                _reader.Read(path, _prediction);
            }
            catch (PictureException failure)
            {
                missing.Add(File.Exists(path) ? $"{failure.File}: {failure.Problem}" : $"{ScoringTask.Gone(path)}: missing");
                return new MaskOverlap(0, _truth.Area());
            }
            if ((_prediction.Rows, _prediction.Columns) == (_truth.Rows, _truth.Columns)) return MaskOverlap.Of(_prediction.Pixels, _truth.Pixels);
            _squashed.Reshape(_prediction.Rows, _prediction.Columns);
            Resize.Nearest(_truth, _squashed);
            return MaskOverlap.Of(_prediction.Pixels, _squashed.Pixels);
        }
    }
}
