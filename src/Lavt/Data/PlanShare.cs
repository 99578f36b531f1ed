namespace Lavt.Data;

/// <summary>Which items of a plan one of several devices works on.</summary>
internal static class PlanShare
{
    /// <summary>
    /// The items of one device in training: every full batch of devices · <paramref name="batchSize"/> items is cut into as many
    /// parts as there are devices, one after the other.
    /// </summary>
    public static T[] OfBatches<T>(T[] plan, int batchSize, int rank, int devices)
    {
        if (devices == 1) return plan;
        int whole = batchSize * devices;
        T[] share = new T[plan.Length / whole * batchSize];
        for (int first = 0; first < share.Length; first += batchSize)
            plan.AsSpan(first * devices + rank * batchSize, batchSize).CopyTo(share.AsSpan(first));
        return share;
    }

    /// <summary>The items of one device in evaluation: one stretch, as long as the others' or one shorter, so that each item is done once.</summary>
    public static Range Of(int items, int rank, int devices) => Start(items, rank, devices)..Start(items, rank + 1, devices);

    private static int Start(int items, int rank, int devices) => (int)((long)items * rank / devices);
}
