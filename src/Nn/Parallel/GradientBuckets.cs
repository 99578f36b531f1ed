using Lavt.Autograd;
using Lavt.Tensors;

namespace Lavt.Nn.Parallel;

/// <summary>
/// Sums the gradients of parameters over devices while the backward pass still runs: gradients are put into buckets in the order
/// in which the pass completes them, and each full bucket is summed beside the rest of the pass.
/// </summary>
/// <remarks>All devices run the same operations, so that their passes complete the gradients in the same order.</remarks>
public sealed class GradientBuckets
{
    /// <summary>The size of a bucket in bytes: large enough that starting a sum costs little beside it.</summary>
    public const long DefaultBytes = 25 << 20;

    private readonly CollectiveQueue _devices;
    private readonly long _bucketBytes;
    private readonly List<Tensor> _filling = [];
    private readonly HashSet<Tensor> _complete = [];
    private readonly List<Bucket> _sent = [];
    private readonly List<Tensor> _memory = [];
    private long _filled;
    private bool _collecting;

    /// <summary>Listens to the gradients of <paramref name="parameters"/>.</summary>
    public GradientBuckets(IEnumerable<Tensor> parameters, CollectiveQueue devices, long bucketBytes = DefaultBytes)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        (_devices, _bucketBytes) = (devices, bucketBytes);
        foreach (Tensor parameter in parameters) parameter.WhenGradientIsReady(() => Add(parameter));
    }

    /// <summary>To be called before the backward pass that completes the gradients; those of earlier passes of the step are added to.</summary>
    public void Begin()
    {
        _complete.Clear();
        _collecting = true;
    }

    /// <summary>To be called after that pass: every parameter's gradient becomes the sum over all devices.</summary>
    /// <exception cref="CommunicationException">Another device failed.</exception>
    public void Finish()
    {
        _collecting = false;
        if (_filling.Count > 0) Send();
        foreach (Bucket bucket in _sent)
        {
            bucket.Operation.Wait();
            int start = 0;
            foreach (Tensor parameter in bucket.Parameters)
            {
                int count = checked((int)parameter.Count);
                parameter.ReplaceGradient(bucket.Memory.ViewSlice(0, start, count).ViewAs(parameter.Shape));
                start += count;
            }
        }
        _sent.Clear();
    }

    private void Add(Tensor parameter)
    {
        if (!_collecting) return;
        if (!_complete.Add(parameter))
            throw new InvalidOperationException($"a parameter of shape {parameter.Shape} got another gradient after its sum over the devices was begun: it is read in several checkpointed segments; take it out of them");
        _filling.Add(parameter);
        _filled += parameter.Count * parameter.DType.Size();
        if (_filled >= _bucketBytes) Send();
    }

    private void Send()
    {
        Tensor memory = MemoryOf(_sent.Count, checked((int)_filling.Sum(parameter => parameter.Count)), _filling[0]);
        int start = 0;
        foreach (Tensor parameter in _filling)
        {
            int count = checked((int)parameter.Count);
            memory.ViewSlice(0, start, count).ViewAs(parameter.Shape).CopyFrom(parameter.Gradient()!);
            parameter.ClearGradient();
            start += count;
        }
        _sent.Add(new Bucket([.. _filling], memory, _devices.Sum(memory)));
        _filling.Clear();
        _filled = 0;
    }

    /// <summary>Buckets are the same in every step, and so is their memory.</summary>
    private Tensor MemoryOf(int bucket, int count, Tensor like)
    {
        if (bucket == _memory.Count) _memory.Add(like.EmptyLike([count]).Persist());
        else if (_memory[bucket].Count != count) _memory[bucket] = like.EmptyLike([count]).Persist();
        return _memory[bucket];
    }

    private sealed record Bucket(Tensor[] Parameters, Tensor Memory, CollectiveQueue.Operation Operation);
}
