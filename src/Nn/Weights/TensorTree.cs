using Lavt.Kernels;
using Lavt.Tensors;

namespace Lavt.Nn.Weights;

/// <summary>Trees of tensors as weight files hold them.</summary>
public static class TensorTree
{
    /// <summary>Reads the numbers of all tensors in a tree of <see cref="PickleDict"/>, <see cref="PickleObject"/> and lists, on all workers.</summary>
    /// <exception cref="WeightFileException">The file is damaged.</exception>
    public static void Load(object? root)
    {
        HashSet<Storage> storages = [];
        Collect(root, storages);
        LoadLoop loop = new([.. storages]);
        Workers.Current.For(storages.Count, ref loop);
    }

    private static void Collect(object? node, HashSet<Storage> storages)
    {
        switch (node)
        {
            case Tensor tensor:
                storages.Add(tensor.Storage);
                break;
            case PickleDict dictionary:
                foreach ((object? key, object? value) in dictionary)
                {
                    Collect(key, storages);
                    Collect(value, storages);
                }
                Collect(dictionary.Attributes, storages);
                break;
            case PickleObject record:
                Collect(record.Arguments, storages);
                Collect(record.State, storages);
                Collect(record.Items, storages);
                Collect(record.Elements, storages);
                break;
            case IEnumerable<object?> list:
                foreach (object? item in list) Collect(item, storages);
                break;
            default:
                break;
        }
    }

    private readonly struct LoadLoop(Storage[] storages) : ILoopBody
    {
        public void Run(int index, int worker) => storages[index].Load();
    }
}
