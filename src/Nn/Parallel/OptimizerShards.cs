using Lavt.Tensors;

namespace Lavt.Nn.Parallel;

/// <summary>
/// Divides an optimizer's state among devices (stage 1 of Rajbhandari et al., "ZeRO: memory optimizations toward training
/// trillion parameter models", 2020): each device keeps the moments of its parameters, updates these, and sends them to the
/// others. Whole parameters are given out, the largest first, each to the device that has the least.
/// </summary>
public sealed class OptimizerShards
{
    private readonly AdamW _optimizer;
    private readonly CollectiveQueue _devices;
    private readonly (Tensor Parameter, int Owner)[] _parameters;

    /// <summary>Gives this device its share; moments of other parameters are dropped.</summary>
    public OptimizerShards(AdamW optimizer, CollectiveQueue devices)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        (_optimizer, _devices) = (optimizer, devices);
        _parameters = [.. Divide([.. optimizer.Parameters.Select(parameter => parameter.Value)], devices.Size)];
        _optimizer.Share = _parameters.Where(entry => entry.Owner == devices.Rank).Select(entry => entry.Parameter).ToHashSet();
        DropForeign();
    }

    /// <summary>Gives every device the parameters that the others have updated.</summary>
    /// <exception cref="CommunicationException">Another device failed.</exception>
    public void ShareParameters()
    {
        CollectiveQueue.Operation[] running = [.. _parameters.Select(entry => _devices.Broadcast(entry.Parameter, entry.Owner))];
        foreach (CollectiveQueue.Operation operation in running) operation.Wait();
    }

    /// <summary>
    /// Runs <paramref name="save"/> while device 0 has the moments of all parameters, so that a checkpoint is the same whatever
    /// the number of devices. All devices must call it; <paramref name="save"/> runs on device 0 alone.
    /// </summary>
    /// <exception cref="CommunicationException">Another device failed.</exception>
    public void WithAllMoments(Action save)
    {
        ArgumentNullException.ThrowIfNull(save);
        foreach ((Tensor parameter, int owner) in _parameters.Where(entry => entry.Owner != 0))
        {
            AdamW.Moments? own = _optimizer.MomentsOf(parameter);
            Span<double> steps = [_devices.Rank == owner && own is not null ? own.Step : 0];
            _devices.Sum(steps);
            if (steps[0] == 0) continue;
            AdamW.Moments moments = own ?? _optimizer.NewMoments(parameter);
            _devices.Broadcast(moments.First, owner).Wait();
            _devices.Broadcast(moments.Second, owner).Wait();
            if (moments.LargestSecond is not null) _devices.Broadcast(moments.LargestSecond, owner).Wait();
            if (own is not null) continue;
            moments.Step = (long)steps[0];
            _optimizer.SetMoments(parameter, moments);
            if (_devices.Rank != 0) _optimizer.DropMoments(parameter);
        }
        if (_devices.Rank == 0) save();
        DropForeign();
    }

    private void DropForeign()
    {
        foreach ((Tensor parameter, int owner) in _parameters)
            if (owner != _devices.Rank) _optimizer.DropMoments(parameter);
    }

    private static IEnumerable<(Tensor Parameter, int Owner)> Divide(Tensor[] parameters, int devices)
    {
        long[] load = new long[devices];
        int[] owners = new int[parameters.Length];
        foreach (int index in Enumerable.Range(0, parameters.Length).OrderByDescending(index => parameters[index].Count))
        {
            owners[index] = Array.IndexOf(load, load.Min());
            load[owners[index]] += parameters[index].Count;
        }
        return parameters.Zip(owners);
    }
}
