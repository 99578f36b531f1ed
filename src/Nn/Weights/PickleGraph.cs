using System.Runtime.InteropServices;

namespace Lavt.Nn.Weights;

/// <summary>Checks what a pickle has built, so that whoever walks it recursively is safe.</summary>
internal static class PickleGraph
{
    private const int OnPath = -1;

    /// <summary>Refuses cycles and depth beyond the limit. Iterative: depth first, heights counted on the way back.</summary>
    /// <param name="root">What the pickle has built.</param>
    /// <param name="options">The name for messages and the limit.</param>
    /// <param name="offset">The offset for messages.</param>
    public static void Check(object? root, PickleOptions options, int offset)
    {
        Dictionary<object, int> heights = new(ReferenceEqualityComparer.Instance);
        List<Step> path = [];
        Enter(root);
        while (path.Count > 0)
        {
            ref Step step = ref CollectionsMarshal.AsSpan(path)[^1];
            object? child = NextUnknownContainer(ref step, heights);
            if (child is not null)
            {
                Enter(child);
                continue;
            }
            if (step.Height > options.MaxDepth) throw TooDeep();
            int height = step.Height;
            heights[step.Node] = height;
            path.RemoveAt(path.Count - 1);
            if (path.Count == 0) return;
            ref Step parent = ref CollectionsMarshal.AsSpan(path)[^1];
            parent.Height = Math.Max(parent.Height, height + 1);
        }

        void Enter(object? node)
        {
            if (!IsContainer(node)) return;
            if (path.Count >= options.MaxDepth) throw TooDeep();
            if (!heights.TryAdd(node!, OnPath))
                throw new PickleException(options.Name, offset, "a container holds itself; no file of this kind needs that");
            path.Add(new Step { Node = node!, Height = 1 });
        }

        PickleException TooDeep() =>
            new(options.Name, offset, $"containers within containers are deeper than {options.MaxDepth} levels (PickleOptions.MaxDepth)");
    }

    /// <summary>Goes on to the next child whose height is not known yet (or that is on the path, which is a cycle).</summary>
    private static object? NextUnknownContainer(ref Step step, Dictionary<object, int> heights)
    {
        while (TryChild(step.Node, step.Next++, out object? child))
        {
            if (!IsContainer(child)) continue;
            if (!heights.TryGetValue(child!, out int height) || height == OnPath) return child;
            step.Height = Math.Max(step.Height, height + 1);
        }
        return null;
    }

    private static bool IsContainer(object? value) => value is List<object?> or PickleDict or object?[] or PickleObject;

    private static bool TryChild(object node, int index, out object? child)
    {
        child = null;
        int count = node switch
        {
            List<object?> list => list.Count,
            object?[] tuple => tuple.Length,
            PickleDict dict => dict.Count + 1,
            PickleObject instance => instance.Arguments.Count + 3,
            _ => 0,
        };
        if (index >= count) return false;
        child = node switch
        {
            List<object?> list => list[index],
            object?[] tuple => tuple[index],
            PickleDict dict => index < dict.Count ? dict.ValueAt(index) : dict.Attributes,
            PickleObject instance => index switch
            {
                0 => instance.State,
                1 => instance.Items,
                2 => instance.ElementList,
                _ => instance.Arguments[index - 3],
            },
            _ => null,
        };
        return true;
    }

    /// <summary>A container on the path from the root, the next child to look at, and the height found so far.</summary>
    private struct Step
    {
        public required object Node { get; init; }

        public int Next { get; set; }

        public int Height { get; set; }
    }
}
