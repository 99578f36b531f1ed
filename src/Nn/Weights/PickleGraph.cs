namespace Lavt.Nn.Weights;

/// <summary>Checks what a pickle has built, so that whoever walks it recursively is safe.</summary>
internal static class PickleGraph
{
    /// <summary>Refuses cycles and depth beyond the limit. Iterative: depth first, heights counted on the way back.</summary>
    public static void Check(object? root, PickleOptions options, int offset)
    {
        if (!IsContainer(root)) return;
        Dictionary<object, int> heights = new(ReferenceEqualityComparer.Instance);
        Stack<(object Node, IEnumerator<object?> Children, int Height)> path = [];
        HashSet<object> onPath = new(ReferenceEqualityComparer.Instance);
        Enter(root!);
        while (path.TryPop(out var top))
        {
            if (top.Children.MoveNext())
            {
                object? child = top.Children.Current;
                int height = IsContainer(child) && heights.TryGetValue(child!, out int known) ? known + 1 : 1;
                path.Push(top with { Height = Math.Max(top.Height, height) });
                if (!IsContainer(child) || heights.ContainsKey(child!)) continue;
                if (!onPath.Add(child!)) throw new PickleException(options.Name, offset, "a container holds itself; no file of this kind needs that");
                Enter(child!);
                continue;
            }
            if (top.Height > options.MaxDepth) throw TooDeep();
            heights[top.Node] = top.Height;
            onPath.Remove(top.Node);
            if (path.TryPop(out var parent)) path.Push(parent with { Height = Math.Max(parent.Height, top.Height + 1) });
        }

        void Enter(object node)
        {
            if (path.Count >= options.MaxDepth) throw TooDeep();
            onPath.Add(node);
            path.Push((node, Children(node).GetEnumerator(), 1));
        }

        PickleException TooDeep() =>
            new(options.Name, offset, $"containers within containers are deeper than {options.MaxDepth} levels (PickleOptions.MaxDepth)");
    }

    private static bool IsContainer(object? value) => value is object?[] { Length: > 0 } or List<object?> { Count: > 0 } or PickleDict or PickleObject;

    private static IEnumerable<object?> Children(object node) => node switch
    {
        object?[] tuple => tuple,
        List<object?> list => list,
        PickleDict dict => dict.Select(entry => entry.Value).Append(dict.Attributes),
        PickleObject instance => [instance.State, instance.Items, instance.ElementList, .. instance.Arguments],
        _ => [],
    };
}
