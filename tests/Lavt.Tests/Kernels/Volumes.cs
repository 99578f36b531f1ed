using Lavt.Kernels;

namespace Lavt.Tests.Kernels;

/// <summary>Volumes in the names of test cases.</summary>
internal static class Volumes
{
    /// <summary>Frames x height x width.</summary>
    public static Volume Parse(string text)
    {
        int[] extents = [.. text.Split('x').Select(int.Parse)];
        return new(extents[0], extents[1], extents[2]);
    }
}
