namespace Lavt.Nn.Weights;

/// <summary>Shared boxes of the values that fill pickles: booleans and small numbers.</summary>
internal static class Boxed
{
    private const int Lowest = -16;
    private static readonly object[] Small = [.. Enumerable.Range(Lowest, 1024).Select(value => (object)(long)value)];

    /// <summary><c>true</c>.</summary>
    public static readonly object True = true;

    /// <summary><c>false</c>.</summary>
    public static readonly object False = false;

    /// <summary>Marks memo places that nothing was put into.</summary>
    public static readonly object Unset = new();

    /// <summary>The value as a boxed <see cref="long"/>.</summary>
    public static object Of(int value) => (uint)(value - Lowest) < (uint)Small.Length ? Small[value - Lowest] : (long)value;
}
