using System.Globalization;

namespace Lavt.Options;

/// <summary>One whole number for each of the backbone's four stages, written <c>a-b-c-d</c>.</summary>
/// <param name="Stage1">The value of the first stage (stride 4).</param>
/// <param name="Stage2">The value of the second stage (stride 8).</param>
/// <param name="Stage3">The value of the third stage (stride 16).</param>
/// <param name="Stage4">The value of the fourth stage (stride 32).</param>
public readonly record struct PerStage(int Stage1, int Stage2, int Stage3, int Stage4)
{
    /// <summary>The number of stages.</summary>
    public const int Count = 4;

    /// <summary>The value of one stage, counted from 0.</summary>
    public int this[int stage] => stage switch
    {
        0 => Stage1,
        1 => Stage2,
        2 => Stage3,
        3 => Stage4,
        _ => throw new ArgumentOutOfRangeException(nameof(stage), stage, "stages are counted from 0 to 3"),
    };

    /// <summary>The sum over the stages.</summary>
    public int Sum => Stage1 + Stage2 + Stage3 + Stage4;

    /// <summary>Reads <c>a-b-c-d</c>, every number at least 1.</summary>
    /// <exception cref="FormatException">The text is not of that form.</exception>
    public static PerStage Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split('-');
        Span<int> values = stackalloc int[Count];
        bool good = parts.Length == Count;
        for (int i = 0; good && i < Count; i++)
            good = int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out values[i]) && values[i] > 0;
        if (!good)
            throw new FormatException($"expected four whole numbers like 4-4-4-4, got '{text}'");
        return new PerStage(values[0], values[1], values[2], values[3]);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Stage1}-{Stage2}-{Stage3}-{Stage4}");
}
