using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>
/// A function of tensors on a GPU that becomes one CUDA graph for each set of shapes: the first call runs it as it is, the second
/// captures it, and from then on a call copies the arguments to where the graph reads them and launches it, at the cost of a
/// few calls of the driver instead of hundreds.
/// </summary>
/// <remarks>
/// <para>The memory that a graph needs stays reserved for it. Graphs see weights that are changed in place; where a weight lies
/// elsewhere, they are captured anew. Everything else that the function depends on must stay as it is.</para>
/// <para>For one thread.</para>
/// </remarks>
/// <typeparam name="TResult">A tensor, or what holds several.</typeparam>
public sealed class CapturedFunction<TResult> : IDisposable
{
    /// <summary>Sets of shapes that are remembered; the one used longest ago makes room.</summary>
    private const int MostShapes = 16;

    private readonly CudaDevice _device;
    private readonly Func<TResult, Func<Tensor, Tensor>, TResult> _replace;
    private readonly Tensor[] _weights;
    private readonly nint[] _addresses;
    private readonly HostUpload _upload;
    private readonly List<Captured> _known = [];

    /// <summary>A function that has not run.</summary>
    /// <param name="device">The GPU.</param>
    /// <param name="weights">The tensors that the function reads besides its arguments.</param>
    /// <param name="replace">A result with each of its tensors, always in the same order, replaced by what it is given.</param>
    public CapturedFunction(Device device, IEnumerable<Tensor> weights, Func<TResult, Func<Tensor, Tensor>, TResult> replace)
    {
        _device = CudaDevice.Of(device);
        _weights = [.. weights.Where(weight => weight.Device == device)];
        _addresses = [.. _weights.Select(weight => weight.Address)];
        _replace = replace;
        _upload = new HostUpload(device);
    }

    /// <summary>The value for these arguments, which are on the host or on the GPU; on the GPU, until the next call or <see cref="Dispose"/>.</summary>
    /// <param name="function">The function, the same at every call; it reads the tensors that it is given, all on the GPU, and waits for nothing.</param>
    /// <param name="size">What the function depends on besides the shapes of its arguments, such as the size of its result.</param>
    /// <param name="arguments">The arguments.</param>
    /// <exception cref="CudaException">The function does what cannot be captured.</exception>
    /// <exception cref="InvalidOperationException">A tape records.</exception>
    public TResult Run(Func<Tensor[], TResult> function, (int Rows, int Columns) size, params Tensor[] arguments)
    {
        ArgumentNullException.ThrowIfNull(function);
        if (Tape.Current is not null) throw new InvalidOperationException("a captured function is not recorded; call it without a tape");
        ForgetIfWeightsMoved();
        Tensor[] there = _upload.Copy(arguments);
        int found = _known.FindIndex(known => known.Fits(size, there));
        if (found < 0)
        {
            if (_known.Count == MostShapes) Forget(0);
            TResult first = function(there);
            _known.Add(new Captured(size, [.. there.Select(argument => (argument.Shape, argument.DType))], first));
            return first;
        }
        Captured captured = _known[found];
        _known.RemoveAt(found);
        _known.Add(captured);
        captured.Prepare(_device, there, function, _replace);
        return captured.Launch(there);
    }

    /// <summary>Gives the graphs and their memory back.</summary>
    public void Dispose()
    {
        while (_known.Count > 0) Forget(0);
        _upload.Dispose();
    }

    private void ForgetIfWeightsMoved()
    {
        bool moved = false;
        for (int i = 0; i < _weights.Length; i++)
        {
            nint address = _weights[i].Address;
            moved |= address != _addresses[i];
            _addresses[i] = address;
        }
        while (moved && _known.Count > 0) Forget(0);
    }

    private void Forget(int index)
    {
        _known[index].Dispose();
        _known.RemoveAt(index);
    }

    /// <summary>The function for one set of shapes.</summary>
    private sealed class Captured((int, int) size, (Shape Shape, DType DType)[] arguments, TResult result) : IDisposable
    {
        private readonly List<Tensor> _fixed = [];
        private Tensor[] _arguments = [];
        private TResult _result = result;
        private CudaGraph? _graph;

        public bool Fits((int, int) otherSize, Tensor[] others)
        {
            if (otherSize != size || others.Length != arguments.Length) return false;
            for (int i = 0; i < others.Length; i++)
                if (others[i].Shape != arguments[i].Shape || others[i].DType != arguments[i].DType) return false;
            return true;
        }

        /// <summary>Captures the function unless that is done.</summary>
        public void Prepare(CudaDevice device, Tensor[] like, Func<Tensor[], TResult> function, Func<TResult, Func<Tensor, Tensor>, TResult> replace)
        {
            if (_graph is not null) return;
            FreeFixed();
            _arguments = [.. like.Select(Fixed)];
            TResult kept = replace(_result, Fixed);
            _graph = CudaGraph.Capture(device, () =>
            {
                using MemoryScope scope = MemoryScope.Begin();
                List<Tensor> made = [];
                replace(function(_arguments), tensor =>
                {
                    made.Add(tensor);
                    return tensor;
                });
                for (int i = 0; i < made.Count; i++) _fixed[_arguments.Length + i].CopyFrom(Ops.Contiguous(made[i]));
            });
            _result = kept;
            // The pass as it is left memory behind that the graph has a second time.
            device.Memory.Trim();
        }

        public TResult Launch(Tensor[] given)
        {
            for (int i = 0; i < given.Length; i++) _arguments[i].CopyFrom(given[i]);
            _graph!.Launch();
            return _result;
        }

        public void Dispose()
        {
            _graph?.Dispose();
            FreeFixed();
        }

        private void FreeFixed()
        {
            foreach (Tensor tensor in _fixed) tensor.Discard();
            _fixed.Clear();
        }

        /// <summary>Memory that keeps its place, as a tensor like another.</summary>
        private Tensor Fixed(Tensor like)
        {
            using MemoryScope scope = MemoryScope.Begin();
            Tensor tensor = Tensor.Empty(like.Shape, like.DType, like.Device).Persist();
            _fixed.Add(tensor);
            return tensor;
        }
    }
}
