using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Tensors;

namespace Lavt.Nn.Parallel;

/// <summary>The mean loss of some samples and what it counts in the mean over all samples.</summary>
/// <param name="Loss">A scalar.</param>
/// <param name="Weight">The divisor of the mean, such as the number of samples.</param>
public readonly record struct WeightedLoss(Tensor Loss, double Weight);

/// <summary>
/// Makes the steps of a training on one or more devices that each hold a replica of the model. A step's batch is divided over
/// the devices and, on each, into parts that are computed one after the other; the gradients are those of the whole batch at once.
/// </summary>
/// <remarks>
/// Batch norm takes its statistics over all devices, but over one part at a time. Dropout and drop path depend on a sample's
/// place in the whole batch. The batch is divided into parts first and each part over the devices: sample
/// (part · devices + rank) · samples + i of the batch is sample i of that part on that device.
/// </remarks>
public sealed class DataParallel
{
    private readonly CollectiveQueue _devices;
    private readonly AdamW _optimizer;
    private readonly GradientBuckets? _buckets;
    private readonly OptimizerShards? _shards;
    private readonly IDeviceSum? _sum;
    private readonly LossScaler? _scaler;
    private readonly LateScalars _losses = new();
    private double _gradientScale = 1;

    /// <summary>Joins the devices' replicas, which must have the same weights by now, see <see cref="ShareState"/>.</summary>
    /// <param name="devices">The devices.</param>
    /// <param name="optimizer">The optimizer of this device's replica.</param>
    /// <param name="shardOptimizer">Whether the optimizer's state is divided among the devices.</param>
    /// <param name="bucketBytes">The size of the pieces in which gradients are summed.</param>
    /// <param name="scaler">Scales the loss, for products in float16.</param>
    public DataParallel(CollectiveQueue devices, AdamW optimizer, bool shardOptimizer = false, long bucketBytes = GradientBuckets.DefaultBytes, LossScaler? scaler = null)
    {
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentNullException.ThrowIfNull(optimizer);
        (_devices, _optimizer, _scaler) = (devices, optimizer, scaler);
        if (devices.Size == 1) return;
        _sum = devices;
        _buckets = new GradientBuckets(optimizer.Parameters.Select(parameter => parameter.Value), devices, bucketBytes);
        if (shardOptimizer) _shards = new OptimizerShards(optimizer, devices);
    }

    /// <summary>Gives all devices the parameters and buffers that device 0 has.</summary>
    /// <exception cref="CommunicationException">Another device failed.</exception>
    public static void ShareState(CollectiveQueue devices, Module module)
    {
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentNullException.ThrowIfNull(module);
        if (devices.Size == 1) return;
        foreach (StateEntry entry in module.State()) devices.Broadcast(entry.Value, 0).Wait();
        module.NotifyWeightsChanged();
    }

    /// <summary>Computes the gradients of a step; they are complete on all devices afterwards.</summary>
    /// <param name="parts">The number of parts.</param>
    /// <param name="samples">The samples of a part on one device.</param>
    /// <param name="forward">Computes the loss of a part.</param>
    /// <returns>The mean loss of the whole batch, which a GPU may still compute.</returns>
    /// <exception cref="CommunicationException">Another device failed.</exception>
    public StepLoss AddGradients(int parts, int samples, Func<int, WeightedLoss> forward)
    {
        RandomSource random = Generator.Current;
        ulong stream = random.Next;
        StepParts counted = new(parts);
        try
        {
            for (int part = 0; part < parts; part++)
            {
                random.Next = stream;
                BatchShare.Current = parts * _devices.Size == 1 ? null : new BatchShare(((long)part * _devices.Size + _devices.Rank) * samples, samples, _sum);
                using var scope = MemoryScope.Begin();
                using Tape tape = Tape.Begin();
                WeightedLoss own = forward(part);
                double share = counted.ShareOf(own.Weight, Total(own.Weight));
                counted.Add(share, _losses.Of(own.Loss));
                if (part == parts - 1) _buckets?.Begin();
                if (_scaler is not null) tape.Backward(own.Loss, _scaler.Seed(share));
                else tape.Backward(share == 1 ? own.Loss : Ops.Scale(own.Loss, share));
            }
        }
        finally
        {
            BatchShare.Current = null;
        }
        _buckets?.Finish();
        _gradientScale = counted.Scale;
        return new StepLoss(() => Total(counted.ReadLoss()) * counted.Scale);
    }

    /// <summary>Changes the parameters, with the same result on all devices, and forgets the gradients. The scaler looks at the sums over all devices, so that they skip the same steps.</summary>
    /// <exception cref="CommunicationException">Another device failed.</exception>
    public void Step()
    {
        _optimizer.Step(_gradientScale, _scaler);
        foreach ((_, Tensor parameter) in _optimizer.Parameters) parameter.ClearGradient();
        _shards?.ShareParameters();
    }

    /// <summary>
    /// Runs <paramref name="save"/> on device 0, while its optimizer has the moments of all parameters. To be called on all
    /// devices; returns when the work is done.
    /// </summary>
    /// <exception cref="CommunicationException">Another device failed.</exception>
    public void Save(Action save)
    {
        ArgumentNullException.ThrowIfNull(save);
        if (_shards is not null) _shards.WithAllMoments(save);
        else if (_devices.Rank == 0) save();
        _devices.Barrier();
    }

    private double Total(double value)
    {
        Span<double> values = [value];
        _devices.Sum(values);
        return values[0];
    }
}
