using System.Diagnostics;
using System.Text.Json;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Metrics;
using Lavt.Models;
using Lavt.Nn.Parallel;
using Lavt.Scoring;
using Lavt.Tensors;

namespace Lavt.Evaluation;

/// <summary>A mask that the model predicted for a frame of a video.</summary>
/// <param name="Video">The video.</param>
/// <param name="Expression">The place of the sentence among the video's, from 0.</param>
/// <param name="Frame">The place of the frame in the video, from 0.</param>
/// <param name="Mask">The mask at the frame's own size; filled anew for the next frame.</param>
public readonly record struct VideoMask(VideoEntry Video, int Expression, int Frame, Mask Mask);

/// <summary>
/// Evaluates a model on whole videos, every sentence on every frame. What does not depend on the sentence is computed once for
/// all sentences of a video.
/// </summary>
/// <param name="model">The model; it is put into evaluation mode.</param>
/// <param name="videos">The videos.</param>
/// <param name="loadingThreads">Threads that read frames ahead.</param>
public sealed class VideoEvaluator(LavtModel model, VideoPieces videos, int loadingThreads)
{
    /// <summary>The frames that are read together.</summary>
    public const int PieceFrames = 4;

    private readonly ClipLoader _loader = new(videos, batchSize: 1, loadingThreads);
    private readonly Mask _mask = new();

    /// <summary>Frames that a video model sees together; 0 for the whole video, as published. A picture model sees one at a time.</summary>
    public int Window { get; init; }

    /// <summary>The devices that share the work, each with a replica of the model; the report is that of all.</summary>
    public CollectiveQueue Devices { get; init; } = CollectiveQueue.Single;

    /// <summary>Gets the number of videos done and that of all.</summary>
    public Action<int, int>? Progress { get; init; }

    /// <summary>Gets every mask.</summary>
    public Action<VideoMask>? MaskReady { get; init; }

    /// <summary>Evaluates the first videos. Those that cannot be read are left out and named in the report.</summary>
    /// <param name="count">How many videos.</param>
    /// <param name="stop">Asks for a stop.</param>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public VideoReport Run(int count, CancellationToken stop)
    {
        long started = Stopwatch.GetTimestamp();
        (int first, int own) = PlanShare.Of(count, Devices.Rank, Devices.Size).GetOffsetAndLength(count);
        var counts = new Counts(0, 0, default, [], []);
        model.SetMode(training: false);
        using ModelSession session = new(model);
        for (int video = first; video < first + own && !stop.IsCancellationRequested; video++)
        {
            counts = Add(counts, session, video, stop);
            Progress?.Invoke(video + 1 - first, own);
        }
        counts = OfAll(counts, stop);
        return new VideoReport
        {
            Dataset = videos.Name,
            ImageSize = videos.Shape.Size,
            Window = model.Options.FusesClips ? Window : 1,
            Videos = counts.Videos,
            Sentences = counts.Sentences,
            Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
            PeakMemoryMib = ProcessMemory.PeakMiB,
            Scores = counts.Scores.Count > 0 ? VideoScores.Of("ytvos", counts.Scores, [], []) : null,
            OverallIou = counts.Overlap.Union == 0 ? 0 : 100.0 * counts.Overlap.Intersection / counts.Overlap.Union,
            BrokenSamples = counts.Broken,
        };
    }

    /// <summary>The counts with one more video.</summary>
    private Counts Add(Counts counts, ModelSession session, int video, CancellationToken stop)
    {
        var tally = new VideoTally(videos.Data, videos.Videos[video]);
        try
        {
            Evaluate(session, video, tally, stop);
        }
        catch (DataException failure)
        {
            return counts with { Broken = [.. counts.Broken, failure.Problem.ToString()] };
        }
        catch (OperationCanceledException)
        {
            // The devices agree on it before the report.
            return counts;
        }
        List<string> broken = [.. counts.Broken];
        List<ExpressionScore> found = tally.Scores(broken);
        return new Counts(
            counts.Videos + 1, counts.Sentences + videos.Videos[video].Expressions.Count, counts.Overlap + tally.Overlap,
            found.Count > 0 ? [.. counts.Scores, VideoScore.Of(videos.Videos[video].Name, found)] : counts.Scores, broken);
    }

    /// <summary>The counts of all devices in the order of the videos.</summary>
    private Counts OfAll(Counts own, CancellationToken stop)
    {
        if (Devices.Any(stop.IsCancellationRequested)) throw new OperationCanceledException(stop);
        if (Devices.Size == 1) return own;
        Counts[] parts = [.. Devices.Gather(JsonSerializer.SerializeToUtf8Bytes(own)).Select(part => JsonSerializer.Deserialize<Counts>(part)!)];
        return new Counts(
            parts.Sum(part => part.Videos), parts.Sum(part => part.Sentences), parts.Aggregate(default(MaskOverlap), (sum, part) => sum + part.Overlap),
            [.. parts.SelectMany(part => part.Scores)], [.. parts.SelectMany(part => part.Broken)]);
    }

    private void Evaluate(ModelSession session, int video, VideoTally tally, CancellationToken stop)
    {
        using MemoryScope scope = MemoryScope.Begin();
        using var pass = new SentencePass(model, session, videos.Shape.Size, videos.Sentences(video));
        foreach (FrameWindow<VideoFrame> window in FrameWindows.Cut(Frames(video), pass.WindowOf(Window)))
        {
            pass.Run([.. window.Frames.Select(frame => frame.Pixels)], stop, (sentence, logits) =>
            {
                for (int i = window.Seen; i < window.Frames.Count; i++)
                {
                    VideoFrame frame = window.Frames[i];
                    PredictedMask.Read(logits, i, frame.Rows, frame.Columns, _mask);
                    tally.Add(sentence, window.First + i, _mask);
                    MaskReady?.Invoke(new VideoMask(videos.Videos[video], sentence, window.First + i, _mask));
                }
            });
        }
    }

    /// <summary>The frames of a video one after the other.</summary>
    /// <exception cref="DataException">One is missing or broken.</exception>
    private IEnumerable<VideoFrame> Frames(int video)
    {
        foreach (ClipBatch batch in _loader.Read(videos.PlanOf(video), dropLast: false))
        {
            ClipItem piece = batch[0];
            for (int i = 0; i < piece.FrameCount; i++) yield return new VideoFrame(piece.Frame(i).ToArray(), piece.OriginalRows, piece.OriginalColumns);
        }
    }

    private readonly record struct VideoFrame(byte[] Pixels, int Rows, int Columns);

    private sealed record Counts(int Videos, int Sentences, MaskOverlap Overlap, IReadOnlyList<VideoScore> Scores, IReadOnlyList<string> Broken);
}
