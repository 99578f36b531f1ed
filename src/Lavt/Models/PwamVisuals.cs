using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>What a PWAM makes of a map alone, before it hears the sentence.</summary>
/// <param name="Map">The map.</param>
/// <param name="Streams">For each attention the visual features and the query, which <c>--fuse simple</c> does not have.</param>
public sealed record PwamVisuals(FeatureMap Map, IReadOnlyList<(Tensor Visual, Tensor? Query)> Streams)
{
    /// <summary>For several sentences about a picture or clip: entry i of the result is entry <c>clips[i]</c> of this.</summary>
    public PwamVisuals ForSentences(IReadOnlyList<int> clips)
    {
        ArgumentNullException.ThrowIfNull(clips);
        return With(tensor =>
        {
            bool same = clips.Count == tensor.Shape[0] && !clips.Where((clip, i) => clip != i).Any();
            if (same) return tensor;
            Tensor chosen = tensor.EmptyLike(tensor.Shape.With(0, clips.Count));
            for (int i = 0; i < clips.Count; i++) chosen.ViewSlice(0, i, 1).CopyFrom(tensor.ViewSlice(0, clips[i], 1));
            return chosen;
        });
    }

    /// <summary>The same with each tensor replaced, in the order of <see cref="ForEach"/>.</summary>
    internal PwamVisuals With(Func<Tensor, Tensor> replace) =>
        new(Map with { Tokens = replace(Map.Tokens) }, [.. Streams.Select(s => (replace(s.Visual), s.Query is null ? null : replace(s.Query)))]);

    internal void ForEach(Action<Tensor> action)
    {
        action(Map.Tokens);
        foreach ((Tensor visual, Tensor? query) in Streams)
        {
            action(visual);
            if (query is not null) action(query);
        }
    }
}
