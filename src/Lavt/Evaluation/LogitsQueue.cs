using Lavt.Autograd;
using Lavt.Tensors;

namespace Lavt.Evaluation;

/// <summary>
/// Lets the host use the logits of one batch while a GPU computes the next: what is added is used when the next is added, or at
/// the end. On the CPU it is used at once.
/// </summary>
/// <param name="device">Where logits are computed.</param>
internal sealed class LogitsQueue(Device device) : IDisposable
{
    private readonly HostDownload? _download = device.IsCuda ? new HostDownload(device) : null;
    private HostDownload.Pending _pending;
    private Action<Tensor>? _use;

    /// <summary>Hands over logits that were launched.</summary>
    /// <param name="logits">The logits.</param>
    /// <param name="use">Gets them on the host.</param>
    public void Add(Tensor logits, Action<Tensor> use)
    {
        if (_download is null)
        {
            use(logits);
            return;
        }
        HostDownload.Pending next = _download.Start(logits);
        Finish();
        (_pending, _use) = (next, use);
    }

    /// <summary>Uses what is left.</summary>
    public void Finish()
    {
        if (_use is not { } use) return;
        _use = null;
        using MemoryScope scope = MemoryScope.Begin();
        use(_pending.Take());
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _download?.Dispose();
}
