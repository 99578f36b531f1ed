using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Lavt.Kernels;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Nn.Parallel;

/// <summary>
/// Runs a communicator's operations one after the other, in the order in which they were asked for, on a thread of their own,
/// so that they go on beside the computation. The order must be the same on all members.
/// </summary>
/// <remarks>
/// The communicator is made on that thread too: MPI then needs no more than one thread of the process. A group of one has no
/// thread, its operations run where they are asked for.
/// </remarks>
public sealed unsafe class CollectiveQueue : IDeviceSum, IDisposable
{
    private readonly BlockingCollection<Operation> _operations = [];
    private readonly Func<ICommunicator, IGpuCommunicator>? _connectGpus;
    private readonly Thread? _thread;
    private ICommunicator _communicator = new SingleCommunicator();
    private IGpuCommunicator? _gpus;
    private volatile ExceptionDispatchInfo? _failure;

    /// <summary>A group of one.</summary>
    public CollectiveQueue()
    {
    }

    /// <summary>Joins a group.</summary>
    /// <param name="connect">Makes the communicator; what it throws is thrown here.</param>
    /// <param name="connectGpus">Connects the members' GPUs, given that communicator, when the first tensor on them goes round; null if tensors lie in host memory.</param>
    public CollectiveQueue(Func<ICommunicator> connect, Func<ICommunicator, IGpuCommunicator>? connectGpus = null)
    {
        ArgumentNullException.ThrowIfNull(connect);
        using var connected = new ManualResetEventSlim();
        _connectGpus = connectGpus;
        _thread = new Thread(() => Serve(connect, connected)) { IsBackground = true, Name = "lavt communication" };
        _thread.Start();
        connected.Wait();
        _failure?.Throw();
        (Rank, Size) = (_communicator.Rank, _communicator.Size);
    }

    /// <summary>A group of one, for whoever is given no other.</summary>
    public static CollectiveQueue Single { get; } = new();

    /// <summary>The number of this member, from 0.</summary>
    public int Rank { get; }

    /// <summary>The number of members.</summary>
    public int Size { get; } = 1;

    /// <summary>Starts an operation; <see cref="Operation.Wait"/> waits for its end. The memory that it uses must stay until then.</summary>
    public Operation Start(Action<ICommunicator> work)
    {
        var operation = new Operation(work);
        if (_thread is null) operation.Run(_communicator);
        else _operations.Add(operation);
        return operation;
    }

    /// <summary>Replaces the numbers by their sums over all members.</summary>
    /// <exception cref="CommunicationException">Another member failed.</exception>
    public void Sum(Span<double> values)
    {
        if (Size == 1) return;
        fixed (double* pointer = values)
        {
            var (address, count) = ((nint)pointer, values.Length);
            Start(communicator => communicator.Sum((double*)address, count)).Wait();
        }
    }

    /// <inheritdoc/>
    /// <exception cref="CommunicationException">Another member failed.</exception>
    public void Sum(CudaStream stream, double* values, long count)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (Size == 1) return;
        nint address = (nint)values;
        StartOnGpu(stream.Device, (gpus, ready) => gpus.Sum(address, count, DType.F64, ready)).Wait();
    }

    /// <summary>Starts to replace a contiguous tensor's numbers by those of member <paramref name="root"/>.</summary>
    public Operation Broadcast(Tensor tensor, int root)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        (nint address, long bytes) = (AddressOf(tensor), tensor.Count * tensor.DType.Size());
        return tensor.Device.IsCuda && Size > 1
            ? StartOnGpu(CudaDevice.Of(tensor.Device), (gpus, ready) => gpus.Broadcast(address, bytes, root, ready))
            : Start(communicator => communicator.Broadcast((void*)address, bytes, root));
    }

    /// <summary>Starts to replace a contiguous tensor's numbers, F32 or F64, by their sums over all members.</summary>
    public Operation Sum(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        (nint address, long count, DType type) = (AddressOf(tensor), tensor.Count, tensor.DType);
        if (type is not (DType.F32 or DType.F64))
            throw new ArgumentException($"sums over devices are made of F32 or F64, got {tensor}", nameof(tensor));
        if (tensor.Device.IsCuda && Size > 1) return StartOnGpu(CudaDevice.Of(tensor.Device), (gpus, ready) => gpus.Sum(address, count, type, ready));
        return type == DType.F32
            ? Start(communicator => communicator.Sum((float*)address, count))
            : Start(communicator => communicator.Sum((double*)address, count));
    }

    /// <summary>What every member gave, by its number.</summary>
    /// <exception cref="CommunicationException">Another member failed.</exception>
    public byte[][] Gather(byte[] bytes)
    {
        byte[][] all = [];
        Start(communicator => all = communicator.Gather(bytes)).Wait();
        return all;
    }

    /// <summary>Returns when all members have called it.</summary>
    /// <exception cref="CommunicationException">Another member failed.</exception>
    public void Barrier() => Start(communicator => communicator.Barrier()).Wait();

    /// <summary>Whether the answer of any member is yes.</summary>
    /// <exception cref="CommunicationException">Another member failed.</exception>
    public bool Any(bool mine)
    {
        Span<double> count = [mine ? 1 : 0];
        Sum(count);
        return count[0] > 0;
    }

    /// <summary>Makes the other members fail because this one cannot go on.</summary>
    public void Abort(string why) => _communicator.Abort(why);

    /// <summary>Ends the operations that were started and leaves the group.</summary>
    public void Dispose()
    {
        _operations.CompleteAdding();
        _thread?.Join();
        _operations.Dispose();
    }

    private static nint AddressOf(Tensor tensor) => tensor.IsContiguous
        ? tensor.Storage.Data + (nint)(tensor.Offset * tensor.DType.Size())
        : throw new ArgumentException($"devices exchange contiguous tensors, got {tensor}", nameof(tensor));

    /// <summary>Starts an operation behind what the device computes so far; what it computes after <see cref="Operation.Wait"/> comes behind the operation.</summary>
    private Operation StartOnGpu(CudaDevice gpu, Func<IGpuCommunicator, CudaEvent, CudaEvent> work)
    {
        CudaEvent ready = new(gpu), done = ready;
        ready.Record(gpu.Stream);
        var operation = new Operation(
            communicator => done = work(_gpus ??= Connect(communicator, gpu), ready),
            () =>
            {
                gpu.Stream.Wait(done);
                done.Dispose();
                ready.Dispose();
            });
        _operations.Add(operation);
        return operation;
    }

    private IGpuCommunicator Connect(ICommunicator communicator, CudaDevice gpu) => _connectGpus is not null
        ? _connectGpus(communicator)
        : throw new InvalidOperationException($"a tensor lies on {gpu.Device}, and the members of the group were given no connection between GPUs");

    private void Serve(Func<ICommunicator> connect, ManualResetEventSlim connected)
    {
        try
        {
            _communicator = connect();
        }
        catch (Exception error)
        {
            _failure = ExceptionDispatchInfo.Capture(error);
            return;
        }
        finally
        {
            connected.Set();
        }
        foreach (Operation operation in _operations.GetConsumingEnumerable()) operation.Run(_communicator);
        _gpus?.Dispose();
        _communicator.Dispose();
    }

    /// <summary>An operation that was started.</summary>
    public sealed class Operation
    {
        private readonly Action<ICommunicator> _work;
        private readonly Action? _atWait;
        private readonly ManualResetEventSlim _done = new();
        private ExceptionDispatchInfo? _failure;

        /// <param name="work">The operation, on the thread of the communicator.</param>
        /// <param name="atWait">What the thread that waits does at its end; on no thread if it failed.</param>
        internal Operation(Action<ICommunicator> work, Action? atWait = null) => (_work, _atWait) = (work, atWait);

        /// <summary>Waits for the end of the operation, once. A GPU waits itself: its next work comes behind the operation.</summary>
        /// <exception cref="CommunicationException">Another member failed.</exception>
        public void Wait()
        {
            _done.Wait();
            _failure?.Throw();
            _atWait?.Invoke();
        }

        internal void Run(ICommunicator communicator)
        {
            try
            {
                _work(communicator);
            }
            catch (Exception error)
            {
                _failure = ExceptionDispatchInfo.Capture(error);
            }
            _done.Set();
        }
    }
}
