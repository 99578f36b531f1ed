using Lavt.Autograd;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>
/// A model that predicts again and again. On the CPU it is the model itself; on a GPU its parts become CUDA graphs for shapes that
/// return (<see cref="CapturedFunction{TResult}"/>), and inputs go there beside the computing.
/// </summary>
/// <remarks>
/// Results on a GPU hold until the next call of the same method. The model stays in evaluation mode, with the precision that it
/// has; its weights may change. For one thread.
/// </remarks>
public sealed class ModelSession : IDisposable
{
    private readonly LavtModel _model;
    private readonly CapturedFunction<PwamVisuals>? _prefix;
    private readonly CapturedFunction<Tensor>? _words;
    private readonly CapturedFunction<Tensor>? _logits;

    /// <summary>A session of a model where it is now.</summary>
    public ModelSession(LavtModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        if (!model.Device.IsCuda) return;
        IEnumerable<Tensor> weights = model.State().Concat(model.TextEncoder.State()).Select(entry => entry.Value).Distinct();
        _prefix = new CapturedFunction<PwamVisuals>(model.Device, weights, (visuals, replace) => visuals.With(replace));
        _words = new CapturedFunction<Tensor>(model.Device, weights, (tensor, replace) => replace(tensor));
        _logits = new CapturedFunction<Tensor>(model.Device, weights, (tensor, replace) => replace(tensor));
    }

    /// <inheritdoc cref="LavtModel.Prefix"/>
    public PwamVisuals Prefix(Tensor frames) =>
        _prefix is null ? _model.Prefix(frames) : _prefix.Run(there => _model.Prefix(there[0]), default, frames);

    /// <inheritdoc cref="Bert.Forward"/>
    public Tensor Words(Tensor ids, Tensor mask) =>
        _words is null ? _model.TextEncoder.Forward(ids, mask) : _words.Run(there => _model.TextEncoder.Forward(there[0], there[1]), default, ids, mask);

    /// <inheritdoc cref="LavtModel.Forward(PwamVisuals, int, int, Tensor, Tensor)"/>
    public Tensor Logits(PwamVisuals prefix, int height, int width, Tensor language, Tensor mask)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        if (_logits is null) return _model.Forward(prefix, height, width, language, mask);
        List<Tensor> arguments = [language, mask];
        prefix.ForEach(arguments.Add);
        return _logits.Run(
            there =>
            {
                int next = 2;
                return _model.Forward(prefix.With(_ => there[next++]), height, width, there[0], there[1]);
            },
            (height, width), [.. arguments]);
    }

    /// <summary>Gives the graphs and their memory back.</summary>
    public void Dispose()
    {
        _prefix?.Dispose();
        _words?.Dispose();
        _logits?.Dispose();
    }
}
