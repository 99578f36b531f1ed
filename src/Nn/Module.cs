using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>An entry of a module's state: a parameter or a buffer and its key in the state dict.</summary>
/// <param name="Name">The key, parts separated by dots, equal to PyTorch's.</param>
/// <param name="Value">The numbers.</param>
/// <param name="IsParameter">True for what an optimizer may change, false for buffers.</param>
public readonly record struct StateEntry(string Name, Tensor Value, bool IsParameter);

/// <summary>
/// A layer or a model: parameters, buffers and child modules under the names that PyTorch gives them. Forward methods are
/// declared by each layer with the arguments it needs.
/// </summary>
public abstract class Module
{
    [ThreadStatic]
    private static bool t_double;

    private readonly List<(string Name, Tensor Value, bool IsParameter)> _own = [];
    private readonly List<(string Name, Module Child)> _children = [];

    /// <summary>
    /// Makes the modules that are built on this thread hold F64 parameters; they then compute by the composed forms of the
    /// operations, slowly and exactly, as the oracle of the fast ones.
    /// </summary>
    public static bool BuildsInDouble
    {
        get => t_double;
        set => t_double = value;
    }

    /// <summary>True while training: dropout drops, batch norm uses the batch's statistics. Modules start in evaluation mode.</summary>
    public bool Training { get; private set; }

    /// <summary>The child modules with their names, in order of registration.</summary>
    public IReadOnlyList<(string Name, Module Child)> Children => _children;

    /// <summary>All parameters and buffers in PyTorch's state-dict order: own parameters, own buffers, then the children's.</summary>
    public IEnumerable<StateEntry> State(string prefix = "")
    {
        foreach ((string name, Tensor value, _) in _own.Where(e => e.IsParameter)) yield return new StateEntry(prefix + name, value, true);
        foreach ((string name, Tensor value, _) in _own.Where(e => !e.IsParameter)) yield return new StateEntry(prefix + name, value, false);
        foreach ((string name, Module child) in _children)
            foreach (StateEntry entry in child.State($"{prefix}{name}."))
                yield return entry;
    }

    /// <summary>Whether <see cref="KeepForInferenceOnly"/> has given the weights back.</summary>
    public bool IsForInferenceOnly { get; protected set; }

    /// <summary>Where the parameters are.</summary>
    public Device Device { get; private set; } = Device.Cpu;

    /// <summary>To what linear layers on a GPU round the operands of their products, as <see cref="UseProducts"/> chose it for this module.</summary>
    protected ProductPrecision Products { get; private set; }

    /// <summary>
    /// The type of what only a product reads: for inference on a GPU the one that the product rounds to, otherwise F32. With a
    /// tape F32, for gradients read it too.
    /// </summary>
    protected DType Between => !Device.IsCuda || Training || Tape.Current is not null ? DType.F32 : Products switch
    {
        ProductPrecision.BFloat16 => DType.BF16,
        ProductPrecision.Float16 => DType.F16,
        _ => DType.F32,
    };

    /// <summary>
    /// Moves the parameters and buffers of this module and its children to a device, where it then computes; what the layers
    /// derived from them is dropped, and gradients are forgotten. Counters stay on the host.
    /// </summary>
    /// <exception cref="CudaException">There is no such GPU, or its memory is too small.</exception>
    public virtual void MoveTo(Device device)
    {
        if (device.IsCuda) CudaDevice.Of(device);
        WeightsChanged();
        foreach ((_, Tensor value, _) in _own)
        {
            value.ClearGradient();
            if (value.DType.IsFloat()) value.MoveTo(device);
        }
        Device = device;
        foreach ((_, Module child) in _children) child.MoveTo(device);
    }

    /// <summary>Chooses the products of linear layers on a GPU, for training too; children that need more than bfloat16 (<see cref="ProductsOf"/>) stay float32.</summary>
    public virtual void UseProducts(ProductPrecision precision)
    {
        Products = precision;
        foreach ((_, Module child) in _children)
            child.UseProducts(ProductsOf(child, DType.BF16) == DType.F32 ? ProductPrecision.Float32 : precision);
    }

    /// <summary>All parameters with their names.</summary>
    public IEnumerable<(string Name, Tensor Value)> Parameters() =>
        State().Where(e => e.IsParameter).Select(e => (e.Name, e.Value));

    /// <summary>Switches this module and its children to training or evaluation mode.</summary>
    public void SetTraining(bool training)
    {
        // What was derived from the weights for evaluation is stale after training.
        if (Training != training) WeightsChanged();
        Training = training;
        foreach ((_, Module child) in _children) child.SetTraining(training);
    }

    /// <summary>Forgets the gradients of all parameters.</summary>
    public void ClearGradients()
    {
        foreach ((_, Tensor value) in Parameters()) value.ClearGradient();
    }

    /// <summary>Called when parameters may have changed: layers drop what they derived from them.</summary>
    protected virtual void WeightsChanged()
    {
    }

    /// <summary>Tells this module and its children that parameters were overwritten from outside.</summary>
    public void NotifyWeightsChanged()
    {
        WeightsChanged();
        foreach ((_, Module child) in _children) child.NotifyWeightsChanged();
    }

    /// <summary>
    /// Makes this module and its children fit for inference alone: layers derive what they need from their weights, packed
    /// or folded, and give the weights' own memory back. They can be neither trained nor saved afterwards. Weights that a file
    /// holds open are read here, so that each is in memory twice for a moment only.
    /// </summary>
    /// <param name="products">
    /// The type whose products linear layers compute, F32 or BF16: with BF16 they keep their weights rounded and round their
    /// inputs; convolutions by Winograd's method may use int16, which errs less; sums, biases and everything else stay F32.
    /// </param>
    /// <exception cref="PlatformNotSupportedException">BF16 was asked for and this machine has no such products.</exception>
    public virtual void KeepForInferenceOnly(DType products = DType.F32)
    {
        if (products == DType.BF16) Bf16Gemm.ThrowIfMissing();
        SetTraining(false);
        // Large ones first, so that no worker is left with one at the end.
        ReleaseLoop loop = new([.. AllModules(products).OrderByDescending(entry => entry.Module._own.Sum(e => e.Value.Count))]);
        Workers.Current.For(loop.Pieces, ref loop);
    }

    /// <summary>The type of the products of a child, where this module was asked for <paramref name="products"/>; overridden where a child needs more.</summary>
    protected virtual DType ProductsOf(Module child, DType products) => products;

    /// <summary>
    /// Does the work of <see cref="KeepForInferenceOnly"/> for this module without its children, on any thread; overridden
    /// by layers that derive something.
    /// </summary>
    /// <param name="products">The type of products in linear layers.</param>
    protected virtual void Release(DType products)
    {
    }

    /// <summary>Stops what cannot be done any more after <see cref="KeepForInferenceOnly"/>.</summary>
    protected void ThrowIfForInferenceOnly()
    {
        if (IsForInferenceOnly)
            throw new InvalidOperationException("the layer was kept for inference only, its weights are gone; load the model again to train or change it");
    }

    private IEnumerable<(Module Module, DType Products)> AllModules(DType products) =>
        _children.SelectMany(entry => entry.Child.AllModules(ProductsOf(entry.Child, products))).Prepend((this, products));

    /// <summary>Registers a child under a name, which may contain dots where PyTorch nests containers.</summary>
    protected T Register<T>(string name, T child)
        where T : Module
    {
        _children.Add((name, child));
        return child;
    }

    /// <summary>Makes and registers a parameter of zeros.</summary>
    protected Tensor AddParameter(string name, Shape shape)
    {
        Tensor value = Tensor.ZerosWhenUsed(shape, t_double ? DType.F64 : DType.F32).Persist().RequireGradient();
        _own.Add((name, value, true));
        return value;
    }

    /// <summary>Registers a buffer: part of the state, but not trained.</summary>
    protected Tensor AddBuffer(string name, Tensor value)
    {
        if (t_double && value.DType == DType.F32) value = value.To(DType.F64);
        value.Persist();
        _own.Add((name, value, false));
        return value;
    }

    private readonly struct ReleaseLoop((Module Module, DType Products)[] modules) : ILoopBody
    {
        public int Pieces => modules.Length;

        public void Run(int index, int worker)
        {
            (Module module, DType products) = modules[index];
            module.Release(products);
            // What is used as it is.
            foreach ((_, Tensor value, _) in module._own) value.Storage.Load();
        }
    }
}
