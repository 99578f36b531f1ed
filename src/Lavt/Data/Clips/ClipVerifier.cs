namespace Lavt.Data.Clips;

/// <summary>
/// Loads every clip of data sets with one annotated frame each (A2D-Sentences, JHMDB-Sentences) and lists everything that is
/// wrong: clips, frames and masks that are missing or damaged, masks that cover nothing, empty and unknown sentences.
/// </summary>
/// <param name="open">Opens the splits; each reports its own broken entries.</param>
public sealed class ClipVerifier(Func<Action<DataProblem>, IReadOnlyList<ClipVerifier.Part>> open) : Verifier
{
    /// <summary>A split to verify.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="File">The file of its sentences.</param>
    /// <param name="Clips">Its clips, with few frames each.</param>
    /// <param name="Sentences">The sentence of each sample.</param>
    public sealed record Part(string Name, string File, IClipDataset Clips, IReadOnlyList<string> Sentences);

    /// <inheritdoc/>
    public override DataReport Run()
    {
        IReadOnlyList<Part> parts = Open();
        foreach (Part part in parts)
        {
            for (int i = 0; i < part.Sentences.Count; i++)
            {
                string place = part.Clips.PlaceOf(i);
                CheckSentence(part.Sentences[i], text => new DataProblem(part.File, place, text, IsWarning: true));
            }
        }
        List<(Part Part, int Sample)> samples = [.. parts.SelectMany(part => Enumerable.Range(0, part.Clips.Count).Select(i => (part, i)))];
        CheckAll(samples, () => new ClipReader(), Check);
        return new DataReport
        {
            Splits = [.. parts.Select(part => (part.Name, part.Clips.Count))],
            Samples = samples.Count,
            Pictures = samples.Count,
            Sentences = samples.Count,
            CutOffSentences = CutOff,
            Errors = Errors,
            Warnings = Warnings,
        };
    }

    private static List<DataProblem> Check(ClipReader reader, (Part Part, int Sample) unit)
    {
        ClipShape shape = unit.Part.Clips.Shape;
        ClipItem clip = new(shape, new byte[shape.FrameBytes], new byte[shape.MaskBytes]);
        ClipChoice choice = new(unit.Sample, 0);
        clip.Start(choice);
        try
        {
            unit.Part.Clips.Load(choice, reader, clip);
            return [];
        }
        catch (DataException failure)
        {
            return [failure.Problem];
        }
    }

    private IReadOnlyList<Part> Open()
    {
        try
        {
            return open(Report);
        }
        catch (DataException failure)
        {
            Report(failure.Problem);
            return [];
        }
    }
}
